#pragma once
// Which shards one replica should hold when several share them (design 3.5). Pure: what PostgreSQL's lock table shows
// is given, and every replica comes to its part of the same plan from it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/ulid.hpp"

namespace throughline::state_sync {

/// Names a replica for as long as its lock connection lasts; the key of an advisory lock of its own.
using member_number = std::uint32_t;

enum class holder : std::uint8_t { nobody, self, other };

/// The lock table as one replica sees it.
struct shard_view {
  std::vector<member_number> members;  ///< replicas that take shards; without this one while it leaves
  std::array<holder, shard_count> holders{};
};

/// What this replica may do for a shard, as far as it knows.
enum class standing : std::uint8_t {
  owner,     ///< decide
  in_doubt,  ///< the lock was held when the database was last heard of, too long ago: wait
  stranger,  ///< nothing: somebody else owns it, or nobody
};

/// What to do now.
struct share_change {
  std::vector<shard_number> take;     ///< free ones
  std::vector<shard_number> give_up;  ///< held ones
};

/// How many shards are a member's due: shares differ by one at most. 0 for one that is not on the list.
std::size_t share_of(const std::vector<member_number>& members, member_number self);

/// Holders keep what they have: shards move only when a member joins or leaves, and no more than its share. A member
/// below its share takes free shards; one above gives up, together with the others no more than 1/N of all at a time,
/// and nothing as long as shards are free that somebody has still to take. One that is not on the list (it drains, or
/// cannot hear requests) gives up everything, but only to others: without a member left it keeps what it has.
share_change change_of(const shard_view& view, member_number self);

}  // namespace throughline::state_sync
