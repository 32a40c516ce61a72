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

/// A frame of this turn came over `on`: its clocks (6.4).
void seen(step& s, turn& t, const attachment_row& on);

}  // namespace throughline::state_sync
