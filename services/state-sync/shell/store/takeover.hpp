#pragma once
// What a new owner of shards asks the database (design 3.5). Each function is a transaction of its own.

#include <unordered_map>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/ulid.hpp"
#include "common/io/postgres/database.hpp"
#include "common/model/session.hpp"
#include "services/state-sync/shell/publisher.hpp"
#include "services/state-sync/shell/tree_cache.hpp"

namespace throughline::state_sync {

/// The trees of the shards that have an open turn, a queued prompt or an attachment, by root: what their fence says.
std::unordered_map<session_id, fence_marks> open_trees(io::database_connection& database,
                                                       const std::vector<shard_number>& shards);

/// The last event of each session of the shards that was written in the last 60 s; bounded, the youngest first. None
/// when it takes longer than 500 ms to find them: the writer has more to do. What is left out is found by the head
/// check.
std::vector<stored_event> recent_heads(io::database_connection& database, const std::vector<shard_number>& shards);

/// Who may see a session; the list is its root's.
access_list access_of(io::database_connection& database, const session_id& session);

}  // namespace throughline::state_sync
