#pragma once
// The write transaction of a writer (design 3.3, 3.4): begin, fence, load, decide outside, write, commit. The order
// "lock, then decide" is explained in services/state-sync/README.md. All SQL of state-sync is in this folder.
//
// One store belongs to one connection and one thread. Members throw what libpqxx throws (io::classify tells what became
// of the work), `epoch_changed` and `bad_stored`; after any of these only `abandon` may follow.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/io/postgres/database.hpp"
#include "services/state-sync/core/decision.hpp"
#include "services/state-sync/core/rows.hpp"
#include "services/state-sync/shell/store/epoch.hpp"
#include "services/state-sync/shell/store/write_set.hpp"

namespace throughline::state_sync {

/// Scope and id of a stored answer.
using answer_key = std::pair<std::string, std::string>;

/// What the row locks of a batch found. A root that is in neither map nor set has no rows.
struct fence {
  std::unordered_map<session_id, session_id> root_of;           ///< addressed -> root; itself where nothing is stored
  std::unordered_map<session_id, std::vector<head_row>> trees;  ///< by root: all rows, locked
  std::vector<session_id> locked_elsewhere;                     ///< roots: keep their inputs, try again
};

class store {
 public:
  /// `begins`: told before each statement how much longer than `statement_answer_max` it may take for its size.
  explicit store(
      io::database_connection& database, std::function<void(std::chrono::milliseconds longer)> begins = [](auto) {});

  /// Starts a transaction. Returns the database's clock. Throws `epoch_changed` when the epoch is not `epoch`.
  instant begin(std::uint64_t epoch);

  /// This transaction waits no longer than 250 ms for a lock: it is a repetition, and there will be another.
  void hurry();

  /// Locks the head rows of the trees of these sessions, waiting for nobody.
  fence lock(const std::vector<session_id>& addressed);
  std::map<answer_key, answer_row> prior_answers(const std::vector<answer_key>& keys);
  /// Everything of these trees but the heads, which `lock` gave. By root.
  std::unordered_map<session_id, tree_rows> load(const std::vector<session_id>& roots);
  /// A finished turn with its entries in full.
  std::optional<turn_row> finished_turn(const session_id& session, const interaction_id& interaction);

  /// `locked` are the head rows of the fence: those sessions are updated, others are inserted and must be new.
  void write(const write_set& what, const fence& locked, instant now);

  /// The only maker of receipts. Also for a transaction that wrote nothing: its refusals were decided under the lock.
  commit_receipt commit();
  void abandon() noexcept;

 private:
  using open_turn_tail = std::map<std::pair<session_id, interaction_id>, std::vector<std::string>>;

  pqxx::result run(const char* statement, std::vector<std::string> parameters);
  void load_sessions(const std::string& roots, std::unordered_map<session_id, tree_rows>& trees);
  void load_turns(const std::string& roots, std::unordered_map<session_id, tree_rows>& trees);
  void load_queue(const std::string& roots, std::unordered_map<session_id, tree_rows>& trees);
  void load_agents(const std::string& roots, std::unordered_map<session_id, tree_rows>& trees);
  void load_access(const std::string& roots, std::unordered_map<session_id, tree_rows>& trees);

  void write_heads(const write_set& what, const fence& locked, instant now);
  void write_sessions(const write_set& what);
  void write_events(const write_set& what);
  void write_turns(const write_set& what);
  void write_queue(const write_set& what);
  void write_agents(const write_set& what);
  void write_access(const write_set& what);
  void write_answers(const write_set& what);

  io::database_connection& database_;
  const std::function<void(std::chrono::milliseconds)> begins_;
  std::unique_ptr<pqxx::work> tx_;
  std::uint64_t epoch_ = 0;
};

}  // namespace throughline::state_sync
