#pragma once
// How turns begin, are kept alive and end. Every end of a turn passes through `end`.

#include <string>

#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

/// Begins a turn in `m`: gives it its place in the conversation and shows it. The caller fills in who asked and where.
turn& begin(step& s, member& m, turn_row row);

struct ending {
  turn_state to = turn_state::complete;
  std::string code;  ///< error_code
  std::string text;  ///< error, for people
  bool by_agent = true;
};
/// Ends an open turn: state, reason, routing keys, its commands, the answers of those who wait for its cancel.
void end(step& s, turn& t, ending how);

/// The agent's completion: `complete`, or `error` `empty_response`; unasked output is always `complete`.
void end_by_completion(step& s, turn& t);
/// Output nobody asked for, when what follows it begins.
void end_unasked_on(step& s, const thread_id& thread);

/// Its end may have gone by without naming it, or its agent's word was lost: its clock runs (6.4).
void doubt(step& s, turn& t);

/// What is open on this thread, for the thread reported an end that was not its own. Unasked output ends by it.
void doubt_open_on(step& s, const thread_id& thread);
/// A turn has ended by the agent's word under this id: one that was typed under it on another thread, and is open, may
/// have been meant.
void doubt_taker_of(step& s, const request_id& id);
/// One more end of a turn that has ended, under this id, on this thread. The first may be the one it owed; any other
/// may have been meant for what is open there, and so may each under an id that the open turn has taken over (6.4).
void ended_again(step& s, turn& t, const request_id& under, const thread_id& on);

/// A frame of this turn came over `on`: its clocks (6.4).
/// `named`: the frame says so itself; its thread alone does not, of a prompt that may not have arrived.
void seen(step& s, turn& t, const attachment_row& on, bool named = true);

}  // namespace throughline::state_sync
