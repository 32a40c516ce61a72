#include "services/state-sync/shell/store/store.hpp"

#include <fmt/format.h>

#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/locks.hpp"
#include "services/state-sync/shell/store/statements.hpp"

namespace throughline::state_sync {

store::store(io::database_connection& database) : database_(database) {
  prepare_fence(database_.sql());
  prepare_session_rows(database_.sql());
  prepare_turn_rows(database_.sql());
  prepare_agent_rows(database_.sql());
  prepare_access_rows(database_.sql());
}

instant store::begin(std::uint64_t epoch) {
  tx_ = std::make_unique<pqxx::work>(database_.sql());
  // One round trip, two statements: the row is read by a snapshot taken when the lock was held.
  static const std::string text = fmt::format(
      "SELECT pg_advisory_xact_lock_shared({}, {}); "
      "SELECT epoch, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM service_epoch",
      lock_key::service, lock_key::epoch);
  const auto rows = tx_->exec(text);
  if (rows.empty()) throw epoch_changed{0};
  row_reader row(rows[0]);
  const auto found = row.number();
  if (found != epoch) throw epoch_changed{found};
  epoch_ = epoch;
  return row.time();
}

pqxx::result store::run(const char* statement, std::vector<std::string> parameters) {
  return tx_->exec_prepared(statement, pqxx::prepare::make_dynamic_params(parameters));
}

std::unordered_map<session_id, tree_rows> store::load(const std::vector<session_id>& roots) {
  std::unordered_map<session_id, tree_rows> trees;
  for (const auto& root : roots) trees.try_emplace(root);
  const auto which = id_array(roots);
  load_sessions(which, trees);
  load_turns(which, trees);
  load_queue(which, trees);
  load_agents(which, trees);
  load_access(which, trees);
  return trees;
}

void store::write(const write_set& what, const fence& locked, instant now) {
  if (what.empty()) return;
  write_heads(what, locked, now);
  write_sessions(what);
  write_events(what);
  write_turns(what);
  write_queue(what);
  write_agents(what);
  write_access(what);
  write_answers(what);
}

commit_receipt store::commit() {
  database_.commit(*tx_);
  tx_.reset();
  return commit_receipt{};
}

void store::abandon() noexcept {
  try {
    tx_.reset();
  } catch (const std::exception&) {  // a lost connection has rolled back by itself
  }
}

}  // namespace throughline::state_sync
