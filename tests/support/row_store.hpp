#pragma once
// The tables of design 3.3 in memory: what a committed decision leaves behind, and what an owner loads from it. It
// decides nothing, and refuses what the real schema would refuse. Values only, copyable: a copy is the database at a
// moment. For scenarios and simulation.

#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "services/state-sync/core/decision.hpp"
#include "services/state-sync/core/input.hpp"
#include "services/state-sync/core/rows.hpp"

namespace throughline::state_sync {

/// In tests the row store is the one that commits.
class receipt_for_tests {
 public:
  static commit_receipt make() { return {}; }
};

}  // namespace throughline::state_sync

namespace throughline::tests {

/// A write that the schema or the fence would not take.
struct refused_write : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class row_store {
 public:
  /// One transaction. Throws refused_write and leaves everything as it was.
  void commit(const state_sync::changes& c);

  /// What an owner of this tree loads; no rows for an unknown session.
  state_sync::tree_rows load(const session_id& root) const;
  /// A finished turn with its entries in full, as `facts_needed` asks for.
  state_sync::turn_row finished(const session_id& session, const interaction_id& id) const;
  std::optional<state_sync::answer_row> answer(const std::string& scope, const std::string& id) const;
  /// The stored answer under the id of a request that carries one.
  std::optional<state_sync::answer_row> prior_of(const session_request& r) const;

  const std::vector<event>& events(const session_id& s) const;
  std::vector<session_id> roots() const;
  std::optional<session_id> root_of(const session_id& s) const;
  const std::map<session_id, state_sync::session_row>& sessions() const { return sessions_; }
  /// Turns of a session in conversation order, entries as a reader of the database sees them now.
  std::vector<state_sync::turn_row> turns(const session_id& s) const;

 private:
  using turn_key = std::pair<session_id, interaction_id>;

  void take_events(const state_sync::changes& c);
  void take_turns(const state_sync::changes& c);
  void take_queue_and_sockets(const state_sync::changes& c);
  void take_access(const state_sync::changes& c);
  void check_fence(const state_sync::changes& c) const;
  state_sync::turn_row as_read(const turn_key& key, const state_sync::turn_row& row) const;

  std::map<session_id, state_sync::session_row> sessions_;
  std::map<session_id, state_sync::head_row> heads_;
  std::map<session_id, std::vector<event>> events_;
  std::map<std::pair<session_id, thread_id>, state_sync::thread_row> threads_;
  std::map<turn_key, state_sync::turn_row> turns_;
  std::map<turn_key, std::vector<entry>> entries_;
  std::map<turn_key, state_sync::prompt_row> prompts_;
  std::map<attachment_id, state_sync::attachment_row> attachments_;
  std::map<command_id, state_sync::command_row> commands_;
  std::map<std::pair<session_id, user_id>, state_sync::grant_row> grants_;
  std::map<std::string, state_sync::agent_token_row> tokens_;
  std::map<std::pair<std::string, std::string>, state_sync::answer_row> answers_;
};

}  // namespace throughline::tests
