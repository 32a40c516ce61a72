#include "services/state-sync/shell/store/store.hpp"

#include <utility>

#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/statements.hpp"

namespace throughline::state_sync {

store::store(io::database_connection& database, std::function<void(std::chrono::milliseconds longer)> begins)
    : database_(database), begins_(std::move(begins)) {
  prepare_fence(database_.sql());
  prepare_session_rows(database_.sql());
  prepare_turn_rows(database_.sql());
  prepare_agent_rows(database_.sql());
  prepare_access_rows(database_.sql());
}

instant store::begin(std::uint64_t epoch) {
  begins_({});
  const auto limit = database_.limit(io::statement_answer_max);
  tx_ = std::make_unique<pqxx::work>(database_.sql());
  const auto now = hold_epoch(*tx_, epoch);
  epoch_ = epoch;
  return now;
}

void store::hurry() {
  begins_({});
  const auto limit = database_.limit(io::statement_answer_max);
  tx_->exec0("SET LOCAL lock_timeout = '250ms'");
}

pqxx::result store::run(const char* statement, std::vector<std::string> parameters) {
  std::size_t bytes = 0;
  for (const auto& parameter : parameters) bytes += parameter.size();
  // The end of a turn of 32 MiB is a quarter of a GiB: it must not be given up for its size, or it never ends.
  const auto for_size = std::chrono::milliseconds(bytes >> 10);
  begins_(for_size);
  const auto limit = database_.limit(io::statement_answer_max + for_size);
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
  begins_({});
  database_.commit(*tx_);
  tx_.reset();
  return commit_receipt{};
}

void store::abandon() noexcept {
  try {
    const auto limit = database_.limit(io::statement_answer_max);
    tx_.reset();
  } catch (const std::exception&) {  // a lost connection has rolled back by itself
  }
}

}  // namespace throughline::state_sync
