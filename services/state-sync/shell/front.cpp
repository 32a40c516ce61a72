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
  const auto to = session_of(request);
  const auto shard = shard_or_zero(to);
  auto& owner = writer_of(shard);
  // In doubt it waits with the writer: the lock was ours a moment ago, and mostly still is.
  if (to_.of(shard) == standing::stranger) {
    to_.counts.input_not_owned();
    return to_.replies.answer(from, deferred{deferral::not_owner, 0}, owner.epoch());
  }
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
