#include "services/state-sync/shell/shard_share.hpp"

#include <algorithm>

namespace throughline::state_sync {
namespace {

/// How much a member wants a shard: members that take or give up at the same time then seldom choose the same ones.
std::uint64_t preference(member_number member, shard_number shard) {
  auto h = (std::uint64_t{member} << 8 | shard) * 0x9e3779b97f4a7c15u;
  h ^= h >> 32;
  h *= 0xff51afd7ed558ccdu;
  return h ^ h >> 29;
}

std::vector<shard_number> of(const shard_view& view, holder who) {
  std::vector<shard_number> shards;
  for (unsigned shard = 0; shard < shard_count; ++shard) {
    if (view.holders[shard] == who) shards.push_back(static_cast<shard_number>(shard));
  }
  return shards;
}

void keep_first(std::vector<shard_number>& shards, std::size_t most) {
  if (shards.size() > most) shards.resize(most);
}

}  // namespace

std::size_t share_of(const std::vector<member_number>& members, member_number self) {
  auto all = members;
  std::ranges::sort(all);
  const auto [repeats, end] = std::ranges::unique(all);
  all.erase(repeats, end);
  const auto at = std::ranges::find(all, self);
  if (at == all.end()) return 0;
  // The first `shard_count % all` members in order get one more.
  const auto place = static_cast<std::size_t>(at - all.begin());
  return shard_count / all.size() + (place < shard_count % all.size() ? 1 : 0);
}

share_change change_of(const shard_view& view, member_number self) {
  share_change change;
  auto held = of(view, holder::self);
  const auto share = share_of(view.members, self);
  if (share == 0) {
    if (!view.members.empty()) change.give_up = std::move(held);
    return change;
  }
  auto free = of(view, holder::nobody);
  if (held.size() < share) {
    std::ranges::sort(free, std::ranges::greater(), [&](shard_number s) { return preference(self, s); });
    keep_first(free, share - held.size());
    change.take = std::move(free);
  } else if (held.size() > share && free.empty()) {
    const auto others = std::max<std::size_t>(view.members.size() - 1, 1);
    const auto all_at_a_time = shard_count / view.members.size();
    std::ranges::sort(held, {}, [&](shard_number s) { return preference(self, s); });
    keep_first(held, std::min(held.size() - share, (all_at_a_time + others - 1) / others));
    change.give_up = std::move(held);
  }
  return change;
}

}  // namespace throughline::state_sync
