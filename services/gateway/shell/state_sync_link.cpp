#include "services/gateway/shell/state_sync_link.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "common/codec/broadcasts.hpp"
#include "common/codec/key_requests.hpp"
#include "common/codec/requests.hpp"
#include "common/codec/subjects.hpp"
#include "common/io/nats/nats_asio.hpp"
#include "common/io/net/event_loop.hpp"
#include "services/gateway/shell/failures.hpp"

namespace throughline::gateway {

namespace asio = boost::asio;

state_sync_link::attempt_result state_sync_link::failed(const error& why) const {
  const bool nothing_sent = why.code == "no_responders" || why.code == "disconnected";
  return {nothing_sent ? attempt_outcome::nobody : attempt_outcome::unanswered, millis(0), why.code == "too_large"};
}

state_sync_link::attempt_result state_sync_link::deferral_of(const deferred& d) const {
  if (d.why == deferral::not_owner) return {attempt_outcome::not_owner, millis(0)};
  return {attempt_outcome::busy, millis(d.after_ms)};
}

bool state_sync_link::is_current(std::uint64_t epoch) {
  if (epoch == 0) return true;
  if (epoch < epoch_) {
    (void)nats_.publish(std::string(codec::epoch_subject), {}, codec::encode_epoch(epoch_));
    return false;
  }
  epoch_ = epoch;
  return true;
}

asio::awaitable<result<answer>> state_sync_link::change(session_request request, mutation_attempts::patience how_long) {
  auto fingerprint = codec::fingerprint_of(request);
  std::visit(
      [&](auto& one) {
        if constexpr (requires { one.by; }) one.by.fingerprint = std::move(fingerprint);
      },
      request);
  auto subject = codec::subject_of(request);
  co_return co_await insist(
      std::move(subject), [&](millis budget) { return codec::encode(request, budget); }, how_long);
}

asio::awaitable<result<answer>> state_sync_link::change_key(key_request request) {
  auto fingerprint = codec::fingerprint_of(request);
  std::visit([&](auto& one) { one.by.fingerprint = std::move(fingerprint); }, request);
  co_return co_await insist(std::string(codec::keys_subject),
                            [&](millis budget) { return codec::encode(request, budget); }, {});
}

asio::awaitable<result<answer>> state_sync_link::insist(std::string subject, encoder message,
                                                        mutation_attempts::patience how_long) {
  if (is_cut_off()) co_return fail("not_accepted", "this gateway can ask nobody, nothing happened: try again");
  mutation_attempts attempts(steady_now(), how_long);
  auto attempt = attempts.first();
  for (;;) {
    auto got = co_await io::request(nats_, {subject, {}}, {}, message(attempt.timeout), attempt.timeout);
    attempt_result became;
    if (!got) {
      became = failed(got.error());
      if (became.too_large) co_return fail("too_large", "the request is too large");
    } else if (auto decoded = codec::decode_reply(got->body); !decoded) {
      counts_.bad_message();
    } else if (is_current(decoded->epoch)) {
      if (auto* said = std::get_if<answer>(&decoded->what)) co_return std::move(*said);
      if (const auto* d = std::get_if<deferred>(&decoded->what)) became = deferral_of(*d);
    }
    const auto next = attempts.next(became.became, became.after, patience_now());
    if (!next) co_return std::unexpected(next.error());
    counts_.state_sync_asked_again();
    attempt = *next;
    co_await io::sleep_for(attempt.wait);
  }
}

asio::awaitable<result<reading>> state_sync_link::read(read_request request, millis budget) {
  if (is_cut_off()) co_return std::unexpected(cut_off());
  read_attempts attempts(steady_now(), budget);
  const auto direct = codec::retry_subject_of(request);
  auto attempt = attempts.first();
  for (;;) {
    const std::string subject = attempt.direct ? direct : std::string(codec::read_subject);
    // Split requests never go to a queue group (design 3.8).
    const io::request_target target{subject, direct == codec::read_subject ? std::string() : direct};
    auto got = co_await io::request(nats_, target, {}, codec::encode(request, attempt.timeout), attempt.timeout);
    attempt_result became;
    if (!got) {
      became = failed(got.error());
    } else if (auto decoded = codec::decode_reading(got->body); !decoded) {
      counts_.bad_message();
    } else if (is_current(decoded->epoch)) {
      const auto* d = std::get_if<deferred>(&decoded->what);
      if (d == nullptr) co_return std::move(decoded->what);
      became = deferral_of(*d);
    }
    const auto next = attempts.next(became.became, became.after, patience_now());
    if (!next) co_return std::unexpected(next.error());
    counts_.state_sync_asked_again();
    attempt = *next;
    co_await io::sleep_for(attempt.wait);
  }
}

}  // namespace throughline::gateway
