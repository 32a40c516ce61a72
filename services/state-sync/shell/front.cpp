#include "services/state-sync/shell/front.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "common/codec/key_requests.hpp"
#include "common/codec/render.hpp"
#include "common/codec/requests.hpp"
#include "common/codec/subjects.hpp"
#include "common/ops/log.hpp"

namespace throughline::state_sync {
namespace {

constexpr std::uint32_t full_after_ms = 500;
/// The next attempt may find another replica, which has a database.
constexpr std::uint32_t no_database_after_ms = 50;
/// What a subscription that ends had been sent is handled by then; it takes milliseconds.
constexpr std::chrono::milliseconds finish_max{500};
/// A waiter is kept beyond its budget, for a reply that is late by a hair.
constexpr millis grace{1000};
constexpr millis wait_max{120'000};

/// When a `renew` is answered at the latest, whatever is not decided: within the time that its sender waits.
millis gathering_time(millis budget) {
  return std::min(budget, wait_max) * 3 / 4;
}

pending_input input_of(session_request request, reply_token from) {
  pending_input input;
  input.to = session_of(request);
  input.what = asked{std::move(request), from, std::nullopt};
  return input;
}

}  // namespace

void front::open() {
  reads_ = to_.link.subscribe(std::string(codec::read_subject), std::string(codec::read_group),
                              [this](io::message m) { arrived(std::move(m)); });
  keys_ = to_.link.subscribe(std::string(codec::keys_subject), std::string(codec::keys_group),
                             [this](io::message m) { key_request_arrived(std::move(m)); });
}

void front::take(const std::vector<shard_number>& shards) {
  const std::lock_guard hold(guard_);
  if (closed_) return;
  for (const auto shard : shards) {
    shards_[shard] =
        to_.link.subscribe(codec::shard_subject(shard), "", [this](io::message m) { arrived(std::move(m)); });
  }
}

void front::release(const std::vector<shard_number>& shards) {
  std::vector<io::subscription> ending;
  {
    const std::lock_guard hold(guard_);
    for (const auto shard : shards) ending.push_back(std::move(shards_[shard]));
  }
  to_.link.finish(std::move(ending), finish_max);
}

void front::close() {
  std::vector<io::subscription> ending;
  {
    const std::lock_guard hold(guard_);
    closed_ = true;
    ending.push_back(std::move(reads_));
    ending.push_back(std::move(keys_));
    for (auto& s : shards_) ending.push_back(std::move(s));
  }
  to_.link.finish(std::move(ending), finish_max);
}

void front::arrived(io::message m) {
  auto decoded = codec::decode_request(m.body);
  if (!decoded) return refuse(m, decoded.error());
  if (auto* read = std::get_if<read_request>(&decoded->what)) {
    const auto now = to_.process.received_at(std::chrono::steady_clock::now());
    m.body.clear();
    const pending_read waiting{std::move(*read), std::move(m), now, decoded->budget};
    return to_.database_heard() ? to_.readers.offer(waiting) : to_.readers.put_off(waiting, no_database_after_ms);
  }
  if (const auto* all = std::get_if<renew>(&decoded->what)) return ask_writer_each(*all, std::move(m), decoded->budget);
  ask_writer(std::move(std::get<session_request>(decoded->what)), std::move(m), decoded->budget);
}

void front::key_request_arrived(io::message m) {
  auto decoded = codec::decode_key_request(m.body);
  if (!decoded) return refuse(m, decoded.error());
  if (!to_.database_heard()) return to_.replies.answer(m, deferred{deferral::busy, no_database_after_ms}, 0);
  const auto now = to_.process.received_at(std::chrono::steady_clock::now());
  to_.keys.offer({std::move(decoded->what), std::move(m), now, decoded->budget});
}

/// What cannot be read never becomes an input, wherever it is sent again: its sender need not wait its budget out.
void front::refuse(const io::message& m, const error& why) {
  to_.counts.message_malformed();
  ops::log::warn("message_malformed", {{"why", why.message}});
  to_.replies.answer(m, answer{400, codec::error_body(why.code, why.message)}, 0);
}

void front::ask_writer(session_request request, io::message from, millis budget) {
  const auto shard = shard_or_zero(session_of(request));
  auto& owner = writer_of(shard);
  // In doubt it waits with the writer: the lock was ours a moment ago, and mostly still is.
  if (to_.of(shard) == standing::stranger) {
    to_.counts.input_not_owned();
    return to_.replies.answer(from, deferred{deferral::not_owner, 0}, owner.epoch());
  }
  const auto now = std::chrono::steady_clock::now();
  const auto weight = std::exchange(from.body, {}).size();
  const auto token = to_.replies.wait(from, now + std::min(budget, wait_max) + grace);
  auto input = input_of(std::move(request), token);
  input.received = to_.process.received_at(now);
  input.budget = budget;
  input.weight = weight;
  if (token != 0 && owner.offer(input)) return;
  to_.counts.input_put_off();
  const deferred full{deferral::busy, full_after_ms};
  token != 0 ? to_.replies.answer(token, full, owner.epoch()) : to_.replies.answer(from, full, owner.epoch());
}

/// One input for each session: what becomes of one says nothing of the others.
void front::ask_writer_each(const renew& request, io::message from, millis budget) {
  const auto shard = shard_or_zero(request.attachments.front().session);
  auto& owner = writer_of(shard);
  if (to_.of(shard) == standing::stranger) {
    to_.counts.input_not_owned();
    return to_.replies.answer(from, deferred{deferral::not_owner, 0}, owner.epoch());
  }
  const auto now = std::chrono::steady_clock::now();
  const auto weight = std::exchange(from.body, {}).size() / request.attachments.size();
  const deferred full{deferral::busy, full_after_ms};
  const auto tokens = to_.replies.wait_each(from, request, now + gathering_time(budget));
  if (tokens.empty()) {
    to_.counts.input_put_off();
    return to_.replies.answer(from, full, owner.epoch());
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    auto input = input_of(request.attachments[i], tokens[i]);
    input.received = to_.process.received_at(now);
    input.budget = budget;
    input.weight = weight;
    if (owner.offer(input)) continue;
    to_.counts.input_put_off();
    to_.replies.answer(tokens[i], full, owner.epoch());
  }
}

}  // namespace throughline::state_sync
