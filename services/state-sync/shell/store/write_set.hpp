#pragma once
// What one transaction writes: the changes of several decisions, rendered and merged so that each row is written once.
// Later decisions win row by row. Pure.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/state-sync/core/rows.hpp"

namespace throughline::state_sync {

/// A committed-to-be event with the body that is stored and published (design 3.8).
struct rendered_event {
  event what;
  std::string body;
};

struct turn_write {
  turn_row row;
  std::uint64_t began_seq = 0;      ///< not 0 when this set holds the event with which the turn began
  std::optional<std::string> body;  ///< rendered Interaction JSON, when an event of this set shows it terminal
};

class write_set {
 public:
  using turn_key = std::pair<session_id, interaction_id>;
  template <class Key, class Row>
  using rows_by_key = std::map<Key, std::optional<Row>>;  ///< nothing: the row is gone

  /// Adds what a decision changes; renders its events.
  void add(const changes& c);
  /// Adds the writes of another tree.
  void add(write_set&& other);
  bool empty() const { return heads.empty(); }

  std::vector<rendered_event> events;
  std::map<session_id, head_row> heads;
  std::map<session_id, session_row> sessions;
  std::map<std::pair<session_id, thread_id>, thread_row> threads;
  std::map<turn_key, turn_write> turns;
  std::map<turn_key, fold_row> folds;
  rows_by_key<turn_key, prompt_row> prompts;
  rows_by_key<attachment_id, attachment_row> attachments;
  rows_by_key<command_id, command_row> commands;
  rows_by_key<std::pair<session_id, user_id>, grant_row> grants;
  std::map<std::string, agent_token_row> tokens;
  std::set<session_id> tokens_gone;  ///< deleted before `tokens` are written
  std::map<std::pair<std::string, std::string>, answer_row> answers;

 private:
  void add_events(const std::vector<event>& added);
  void add_turns(const changes& c);
  std::map<turn_key, std::uint64_t> began_;
  std::map<turn_key, std::string> terminal_;
};

}  // namespace throughline::state_sync
