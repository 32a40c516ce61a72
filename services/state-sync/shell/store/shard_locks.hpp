#pragma once
// Session-level advisory locks of shards on one dedicated connection (design 3.5). Autocommit statements only: the
// idle timeout that throws a vanished owner out does not run inside a transaction.

#include <vector>

#include "common/base/ulid.hpp"
#include "common/io/postgres/database.hpp"

namespace throughline::state_sync {

/// Those of `wanted` that were free and are held now.
std::vector<shard_number> try_shards(io::database_connection& database, const std::vector<shard_number>& wanted);
/// Those that this backend holds: one round trip, also the beat.
std::vector<shard_number> held_shards(io::database_connection& database);
void release_shards(io::database_connection& database, const std::vector<shard_number>& shards);

}  // namespace throughline::state_sync
