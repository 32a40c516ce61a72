#include "services/state-sync/shell/shard_share.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace throughline::state_sync {
namespace {

/// FNV-1a over the member's name and the shard, stirred: the member with the highest value is the shard's first choice.
std::uint64_t preference(const std::string& member, unsigned shard) {
  std::uint64_t h = 0xcbf29ce484222325u;
  const auto mix = [&h](unsigned char byte) {
    h ^= byte;
    h *= 0x100000001b3u;
  };
  for (const char c : member) mix(static_cast<unsigned char>(c));
  mix(static_cast<unsigned char>(shard));
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdu;
  h ^= h >> 33;
  return h;
}

}  // namespace

std::vector<shard_number> fair_share(const std::vector<std::string>& members, const std::string& self) {
  std::vector<std::string> all = members;
  all.push_back(self);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());

  // The first `shard_count % all` members in order get one more.
  std::vector<std::size_t> room(all.size(), shard_count / all.size());
  for (std::size_t i = 0; i < shard_count % all.size(); ++i) ++room[i];

  std::vector<shard_number> mine;
  for (unsigned shard = 0; shard < shard_count; ++shard) {
    std::size_t best = all.size();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (room[i] == 0) continue;
      if (best == all.size() || preference(all[i], shard) > preference(all[best], shard)) best = i;
    }
    --room[best];
    if (all[best] == self) mine.push_back(static_cast<shard_number>(shard));
  }
  return mine;
}

share_change change_of(const std::vector<shard_number>& held, const std::vector<shard_number>& share) {
  auto have = held;
  auto want = share;
  std::sort(have.begin(), have.end());
  std::sort(want.begin(), want.end());
  share_change change;
  std::set_difference(want.begin(), want.end(), have.begin(), have.end(), std::back_inserter(change.take));
  std::set_difference(have.begin(), have.end(), want.begin(), want.end(), std::back_inserter(change.give_up));
  return change;
}

}  // namespace throughline::state_sync
