#pragma once
// Which turn does a frame belong to: the one function that says (design 6.1, P-G7), for every kind of frame.

#include <optional>
#include <string>

#include "services/state-sync/core/tree.hpp"

namespace throughline::state_sync {

enum class ruling {
  open_turn,      ///< `which` is open
  finished_turn,  ///< only its record may grow; its state never changes
  replay,         ///< said before, by an earlier turn of the thread: nothing
  no_turn,        ///< the thread is known and nothing is open on it
  unknown         ///< an unknown or retired thread, or no thread and no turn: nothing
};

struct belonging {
  ruling what = ruling::unknown;
  turn* which = nullptr;
};

/// What a frame says about where it belongs.
struct claim {
  const thread_id* thread = nullptr;
  const request_id* request = nullptr;
  const agent::message_added* output = nullptr;  ///< for what rests on message id and content
  bool cancels = false;                          ///< the agent's word that it has cancelled the turn
  bool fails = false;                            ///< an error; without an id it names neither turn nor thread
};

belonging resolve(tree_state& tree, const claim& c);

/// The thread is bound to a session and may take new output.
bool is_bound(const tree_state& tree, const thread_id& thread);

/// The content that `m` leads to, wherever in the tree its base is; empty when the base is not in memory.
std::optional<std::string> whole_content(tree_state& tree, const agent::message_added& m);

/// The finished turns whose records this frame may need and that are not loaded.
std::vector<turn*> unread_for(tree_state& tree, const agent_event& frame);

}  // namespace throughline::state_sync
