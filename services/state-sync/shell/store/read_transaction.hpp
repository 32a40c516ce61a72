#pragma once
// What the reads of several files share: one snapshot of the database, and the rows of one session in it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "services/state-sync/core/rows.hpp"
#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/reads.hpp"

namespace throughline::state_sync {

struct read_transaction {
  pqxx::transaction_base& tx;
  std::uint64_t epoch = 0;
  std::size_t snapshot_budget = 0;
};

/// A range that is not gapless: to be read again in a new snapshot, never returned (design 3.7).
struct torn_range {};

void prepare_session_reads(pqxx::connection& sql);
void prepare_interaction_reads(pqxx::connection& sql);
void prepare_list_reads(pqxx::connection& sql);
void prepare_activity_reads(pqxx::connection& sql);

/// A session that exists and is not deleted, as viewers see it.
std::optional<session> find_session(const read_transaction& r, const session_id& id);
/// The same for a list, in its order; those that do not exist are left out.
std::vector<session> find_sessions(const read_transaction& r, const std::vector<session_id>& ids);
/// The same, with empty queues.
std::vector<session> find_sessions_only(const read_transaction& r, const std::vector<session_id>& ids);

/// Stored bytes of one page of a list, above which it is refused unless it is of one element: what a page weighs is
/// held in memory as a whole, several times over.
inline constexpr std::uint64_t page_bytes_max = std::uint64_t{64} << 20;

/// Interaction JSON, oldest first: the newest in full, older ones while they fit the budget.
struct recent_interactions {
  std::vector<std::string> bodies;
  std::optional<interaction> running;  ///< the newest, when it is open
};
recent_interactions find_recent(const read_transaction& r, const session_id& id);

session_reading read(const read_transaction& r, const read_session& what);
session_reading read(const read_transaction& r, const read_snapshot& what);
session_reading read(const read_transaction& r, const read_events& what);
session_reading read(const read_transaction& r, const read_interactions& what);
session_reading read(const read_transaction& r, const read_interaction& what);
activity_reading read(const read_transaction& r, const read_activity& what);
list_reading read(const read_transaction& r, const list_sessions& what);
list_reading read(const read_transaction& r, const list_agents& what);
std::vector<head_reading> read(const read_transaction& r, const read_heads& what);
owner_reading read(const read_transaction& r, const find_agent_token& what);
owner_reading read(const read_transaction& r, const find_key& what);

/// Views of rendered bodies, for the codec.
std::vector<std::string_view> views_of(const std::vector<std::string>& bodies);

}  // namespace throughline::state_sync
