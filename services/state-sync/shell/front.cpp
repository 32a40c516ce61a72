#include "services/state-sync/shell/front.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "common/codec/key_requests.hpp"
#include "common/codec/requests.hpp"
#include "common/codec/subjects.hpp"
#include "common/ops/log.hpp"

namespace throughline::state_sync {
namespace {

constexpr std::uint32_t full_after_ms = 500;
/// A waiter is kept beyond its budget, for a reply that is late by a hair.
constexpr millis grace{1000};
constexpr millis wait_max{120'000};

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
  const std::lock_guard hold(guard_);
  for (const auto shard : shards) shards_[shard].reset();
}

void front::close() {
  const std::lock_guard hold(guard_);
  closed_ = true;
  reads_.reset();
  keys_.reset();
  for (auto& s : shards_) s.reset();
}

void front::arrived(io::message m) {
  auto decoded = codec::decode_request(m.body);
  if (!decoded) {
    to_.counts.message_malformed();
    ops::log::warn("message_malformed", {{"why", decoded.error().message}});
    return;
  }
  if (auto* read = std::get_if<read_request>(&decoded->what)) {
    const auto now = to_.process.received_at(std::chrono::steady_clock::now());
    m.body.clear();
    return to_.readers.offer({std::move(*read), std::move(m), now, decoded->budget});
  }
  ask_writer(std::move(std::get<session_request>(decoded->what)), std::move(m), decoded->budget);
}

void front::key_request_arrived(io::message m) {
  auto decoded = codec::decode_key_request(m.body);
  if (!decoded) {
    to_.counts.message_malformed();
    ops::log::warn("message_malformed", {{"why", decoded.error().message}});
    return;
  }
  const auto now = to_.process.received_at(std::chrono::steady_clock::now());
  to_.keys.offer({std::move(decoded->what), std::move(m), now, decoded->budget});
}

void front::ask_writer(session_request request, io::message from, millis budget) {
  const auto to = session_of(request);
  const auto shard = shard_or_zero(to);
  auto& owner = writer_of(shard);
  if (!to_.serving(shard)) return to_.replies.answer(from, deferred{deferral::not_owner, 0}, owner.epoch());
  const auto now = std::chrono::steady_clock::now();
  const auto weight = std::exchange(from.body, {}).size();
  pending_input input;
  input.to = to;
  input.received = to_.process.received_at(now);
  input.budget = budget;
  input.weight = weight;
  const auto token = to_.replies.wait(from, now + std::min(budget, wait_max) + grace);
  input.what = asked{std::move(request), token, std::nullopt};
  if (token != 0 && owner.offer(input)) return;
  to_.counts.input_put_off();
  const deferred full{deferral::busy, full_after_ms};
  token != 0 ? to_.replies.answer(token, full, owner.epoch()) : to_.replies.answer(from, full, owner.epoch());
}

}  // namespace throughline::state_sync
