#pragma once
// Keys of PostgreSQL's advisory locks, in its two-integer form.

namespace throughline::state_sync::lock_key {

inline constexpr int shards = 0x746c01;   ///< (shards, 0..255): session-level, held by the shard's owner (design 3.5)
inline constexpr int members = 0x746c03;  ///< (members, a replica's number): session-level, while it takes shards
inline constexpr int service = 0x746c02;  ///< (service, epoch | migration)
inline constexpr int epoch = 1;           ///< shared by each write transaction, exclusive to raise the epoch (3.4)
inline constexpr int migration = 2;       ///< exclusive while migrations are applied

}  // namespace throughline::state_sync::lock_key
