#pragma once
// One session tree in memory: its rows by key, and the indexes that keep a frame's cost away from the number of
// finished turns. It decides nothing; `step` changes it, the rules read it.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/state-sync/core/input.hpp"
#include "services/state-sync/core/rows.hpp"
#include "services/state-sync/core/turn.hpp"

namespace throughline::state_sync {

/// One session of the tree.
struct member {
  session_row row;
  head_row head;
  std::vector<prompt_row> queue;  ///< by place

  const session_id& id() const { return row.id; }
  bool is_root() const { return !row.parent; }
};

class tree_state {
 public:
  explicit tree_state(tree_rows rows);

  // Sessions. A deleted one is not found.
  member* root();
  const member* root() const { return const_cast<tree_state*>(this)->root(); }
  member* find(const session_id& id);
  const member* find(const session_id& id) const { return const_cast<tree_state*>(this)->find(id); }
  const session_id& root_id() const { return root_; }
  void found(member m);  ///< a session made just now
  access_list access() const;

  // Turns.
  turn* find_turn(const interaction_id& id);
  turn* turn_named(const request_id& id) { return find_turn(interaction_id{id.text()}); }
  /// The latest turn that has taken over this id, on this thread where one is given (6.1 rule 2); null
  /// when none has.
  turn* taker_of(const request_id& id, const thread_id* thread);
  /// The latest of them, on this thread, that has an entry with this message id.
  turn* taker_with(const request_id& id, const thread_id& thread, const message_id& message);
  /// The turn of this thread whose prompt came as this user entry, an echo or typed in the editor; the open one, if so.
  turn* prompted_by(const thread_id& thread, const message_id& message, const std::string& text);
  /// Its prompt has come as a user entry (`prompt_message_id`).
  void index_prompt(turn& t);
  turn* open_turn_on(const thread_id& thread);
  /// The latest turn of this thread that has ended.
  turn* last_finished_on(const thread_id& thread);
  /// The id under which commands speak of this turn: its own, or the one it has taken over.
  request_id request_of(const turn& t);
  /// Its prompt is on its way to the agent, and not known to have arrived.
  bool on_its_way(const turn& t) const;
  /// The open turn for which the session's next prompt waits; null when it need not.
  turn* running(const session_id& id);
  turn& add(turn_row row);
  /// It has just finished, or its finished record has changed: off the open list, its entries into the index.
  void index_finished(turn& t);

  /// The finished turns of this thread with an entry of this message id.
  struct known_entry {
    interaction_id turn;
    std::uint64_t length = 0;
    std::uint64_t hash = 0;
  };
  const std::vector<known_entry>* entries_known(const thread_id& thread, const message_id& id) const;

  // Attachments.
  attachment_row* newest();
  const attachment_row* newest() const { return const_cast<tree_state*>(this)->newest(); }
  /// The newest when its socket is there; null otherwise.
  attachment_row* connected();
  const attachment_row* connected() const { return const_cast<tree_state*>(this)->connected(); }

  std::map<session_id, member> members;
  std::map<thread_id, thread_row> threads;
  std::map<interaction_id, turn> turns;
  std::vector<turn*> open;             ///< those of `turns` that are open, by session and ordinal
  std::vector<turn*> finished_loaded;  ///< finished ones whose text is in memory
  std::map<attachment_id, attachment_row> attachments;
  std::map<command_id, command_row> commands;
  std::map<user_id, role> grants;
  std::map<std::string, agent_token_row> tokens;  ///< by hash

  // Of this owner only, never stored.
  std::optional<limits> bounds;    ///< of the last decision
  std::optional<millis> heard_at;  ///< last word of the newest attachment's bridge, on the steady clock

 private:
  void index_taken_over(const turn& t);
  /// In a session the one with the highest ordinal, whatever the clock said.
  template <class Fits>
  turn* latest_taker(const request_id& id, const Fits& fits);
  void index_entries(const turn& t, const std::vector<entry_digest>& before);

  session_id root_;
  std::unordered_map<std::string, std::vector<known_entry>> entries_;  ///< by thread + NUL + message id
  std::unordered_map<request_id, std::vector<const turn*>> takers_;    ///< by session and ordinal
  std::unordered_map<message_id, std::vector<turn*>> prompted_;        ///< by prompt_message_id, of all threads
};

}  // namespace throughline::state_sync
