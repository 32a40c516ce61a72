#pragma once
// Which shards one replica should hold when several share them (design 3.5). Pure: the members are given.

#include <cstddef>
#include <string>
#include <vector>

#include "common/base/ulid.hpp"

namespace throughline::state_sync {

/// The fair share of `self` among `members` (`self` is counted in where it is missing): every shard belongs to exactly
/// one member, shares differ by one at most, and a member that joins or leaves moves only about 1/N of the shards
/// (rendezvous hashing, filled up to the quota).
std::vector<shard_number> fair_share(const std::vector<std::string>& members, const std::string& self);

/// What to do now: free shards of the own share are taken, held ones outside it are given up.
struct share_change {
  std::vector<shard_number> take;
  std::vector<shard_number> give_up;
};
share_change change_of(const std::vector<shard_number>& held, const std::vector<shard_number>& share);

}  // namespace throughline::state_sync
