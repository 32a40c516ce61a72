#include "services/gateway/core/head_schedule.hpp"

#include <algorithm>
#include <utility>

namespace throughline::gateway {

void head_schedule::add(const session_id& session, millis now) {
  const auto number = shard_of(session);
  if (!number) return;
  auto& of = shards_[*number];
  if (of.sessions.empty())
    of.next = now + interval - millis(chance_.next() % static_cast<std::uint64_t>(jitter.count()));
  of.sessions.insert(session);
  early_[session] = now + after_subscription;
}

void head_schedule::remove(const session_id& session) {
  early_.erase(session);
  const auto number = shard_of(session);
  const auto of = number ? shards_.find(*number) : shards_.end();
  if (of == shards_.end()) return;
  of->second.sessions.erase(session);
  if (of->second.sessions.empty()) shards_.erase(of);
}

void head_schedule::check_all(millis now) {
  for (auto& [number, of] : shards_) of.next = now;
}

void head_schedule::check_now(const session_id& session, millis now) {
  const auto number = shard_of(session);
  const auto of = number ? shards_.find(*number) : shards_.end();
  if (of != shards_.end() && of->second.sessions.contains(session)) early_[session] = now;
}

std::vector<std::vector<session_id>> head_schedule::due(millis now) {
  std::map<shard_number, std::vector<session_id>> wanted;
  for (auto& [number, of] : shards_) {
    if (of.next > now) continue;
    of.next = now + interval - millis(chance_.next() % static_cast<std::uint64_t>(jitter.count()));
    wanted[number].assign(of.sessions.begin(), of.sessions.end());
  }
  std::erase_if(early_, [&](const auto& one) {
    if (one.second > now) return false;
    const auto number = *shard_of(one.first);
    const bool whole_shard = wanted.contains(number) && wanted[number].size() == shards_[number].sessions.size();
    if (!whole_shard) wanted[number].push_back(one.first);
    return true;
  });
  std::vector<std::vector<session_id>> batches;
  for (auto& [number, sessions] : wanted) {
    for (std::size_t from = 0; from < sessions.size(); from += batch_max) {
      const auto first = sessions.begin() + static_cast<std::ptrdiff_t>(from);
      const auto count = std::min(batch_max, sessions.size() - from);
      batches.emplace_back(first, first + static_cast<std::ptrdiff_t>(count));
    }
  }
  return batches;
}

}  // namespace throughline::gateway
