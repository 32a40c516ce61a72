#include "services/agent-bridge/core/renewals.hpp"

#include <algorithm>
#include <utility>

namespace throughline::agent_bridge {

void renewals::hold(const session_id& session, const attachment_id& attachment, moment now) {
  const auto shard = shard_of(session);
  if (!shard) return;
  const auto [at, added] = shards_.try_emplace(*shard);
  if (added) at->second.due = now + millis(chance_.next() % (millis(every).count() + 1));
  at->second.held.insert_or_assign(attachment, attachment_state{session});
}

void renewals::release(const session_id& session, const attachment_id& attachment) {
  const auto shard = shard_of(session);
  const auto at = shard ? shards_.find(*shard) : shards_.end();
  if (at == shards_.end()) return;
  at->second.held.erase(attachment);
  if (at->second.held.empty() && !at->second.under_way) shards_.erase(at);
}

std::vector<renewals::attempt> renewals::due(moment now) {
  std::vector<attempt> all;
  for (auto& [number, shard] : shards_) {
    if (shard.under_way) continue;
    if (now >= shard.due) begin_round(shard, now);
    if (now >= shard.later_at) owe_later(shard);
    if (now < shard.not_before) continue;
    auto what = take(shard);
    if (what.attachments.empty()) continue;
    shard.under_way = true;
    all.push_back({number, std::move(what), attempt_time(shard.unanswered)});
  }
  return all;
}

void renewals::begin_round(shard_state& of, moment now) {
  of.due += every;
  if (of.due <= now) of.due = now + every;
  owe_later(of);
  for (auto& [attachment, state] : of.held) {
    if (state.is == step::owed) continue;
    state.is = step::owed;
    of.owed.push_back(attachment);
  }
}

renew renewals::take(shard_state& from) const {
  renew what;
  from.asked.clear();
  while (!from.owed.empty() && what.attachments.size() < at_most_) {
    const auto attachment = std::move(from.owed.front());
    from.owed.pop_front();
    const auto at = from.held.find(attachment);
    if (at == from.held.end() || at->second.is != step::owed) continue;
    at->second.is = step::asked;
    from.asked.push_back(attachment);
    what.attachments.push_back({at->second.session, attachment});
  }
  return what;
}

std::vector<not_renewed> renewals::answered(shard_number shard, const reply& what, moment now) {
  const auto at = shards_.find(shard);
  if (at == shards_.end() || !at->second.under_way) return {};
  auto& of = at->second;
  const auto* done = std::get_if<renewed>(&what);
  if (done == nullptr) {
    const auto* later = std::get_if<deferred>(&what);
    const auto asked_for = millis(later != nullptr ? later->after_ms : 0);
    failed(of, std::max(asked_for, retry_delay(of.failures + 1, chance_.next())), now);
    if (of.held.empty()) shards_.erase(at);
    return {};
  }
  std::vector<not_renewed> told;
  for (const auto& one : done->except) {
    const auto known = of.held.find(one.attachment);
    // One that was let go, or attached again meanwhile, is not the one that was asked about.
    if (known == of.held.end() || known->second.is != step::asked) continue;
    if (one.why != renewal_fault::deferred) {
      told.push_back(one);
      continue;
    }
    known->second.is = step::owed;
    of.later.push_back(one.attachment);
  }
  for (const auto& attachment : std::exchange(of.asked, {})) {
    const auto known = of.held.find(attachment);
    if (known != of.held.end() && known->second.is == step::asked) known->second.is = step::renewed;
  }
  of.under_way = false;
  of.unanswered = 0;
  of.failures = 0;
  of.not_before = now;
  of.deferrals = of.later.empty() ? 0 : of.deferrals + 1;
  if (!of.later.empty()) of.later_at = now + retry_delay(of.deferrals, chance_.next());
  if (of.held.empty()) shards_.erase(at);
  return told;
}

void renewals::unanswered(shard_number shard, send_failure why, moment now) {
  const auto at = shards_.find(shard);
  if (at == shards_.end() || !at->second.under_way) return;
  auto& of = at->second;
  if (why == send_failure::timeout) ++of.unanswered;
  failed(of, retry_delay(why, of.failures + 1, chance_.next()), now);
  if (of.held.empty()) shards_.erase(at);
}

/// Nothing is known of what was asked.
void renewals::failed(shard_state& of, millis pause, moment now) {
  for (const auto& attachment : std::exchange(of.asked, {})) {
    const auto known = of.held.find(attachment);
    if (known == of.held.end() || known->second.is != step::asked) continue;
    known->second.is = step::owed;
    of.owed.push_back(attachment);
  }
  of.under_way = false;
  ++of.failures;
  of.not_before = now + pause;
}

void renewals::owe_later(shard_state& of) {
  for (auto& attachment : std::exchange(of.later, {})) of.owed.push_back(std::move(attachment));
}

void renewals::wire_restored(moment now) {
  for (auto& [number, shard] : shards_) {
    shard.failures = 0;
    shard.unanswered = 0;
    shard.not_before = std::min(shard.not_before, now);
    shard.later_at = std::min(shard.later_at, now);
  }
}

std::optional<renewals::moment> renewals::next_wake() const {
  std::optional<moment> next;
  for (const auto& [number, shard] : shards_) {
    if (shard.under_way) continue;
    auto begins = shard.later.empty() ? shard.due : std::min(shard.due, shard.later_at);
    if (!shard.owed.empty()) begins = shard.not_before;
    const auto at = std::max(begins, shard.not_before);
    next = next ? std::min(*next, at) : at;
  }
  return next;
}

std::size_t renewals::held() const {
  std::size_t count = 0;
  for (const auto& [number, shard] : shards_) count += shard.held.size();
  return count;
}

}  // namespace throughline::agent_bridge
