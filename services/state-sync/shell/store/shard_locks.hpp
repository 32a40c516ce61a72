#pragma once
// Session-level advisory locks on one dedicated connection: of shards, and of members, by which replicas find each
// other (design 3.5). Autocommit statements only: the idle timeout that throws a vanished owner out does not run inside
// a transaction.

#include <vector>

#include "common/base/ulid.hpp"
#include "common/io/postgres/database.hpp"
#include "services/state-sync/shell/shard_share.hpp"

namespace throughline::state_sync {

/// From here on the connection's socket becomes readable when anybody calls `tell_of_change`.
void listen_for_changes(io::database_connection& database);
/// What was told so far is taken note of: the socket is not readable any more, unless the connection is gone.
void take_told(io::database_connection& database);
void tell_of_change(io::database_connection& database);

/// False when the number is taken.
bool join(io::database_connection& database, member_number self);
void leave(io::database_connection& database, member_number self);

/// Who is there and which shards are held: one round trip, also the beat.
shard_view look_at_locks(io::database_connection& database);

/// Those of `wanted` that were free and are held now.
std::vector<shard_number> try_shards(io::database_connection& database, const std::vector<shard_number>& wanted);
void release_shards(io::database_connection& database, const std::vector<shard_number>& shards);

}  // namespace throughline::state_sync
