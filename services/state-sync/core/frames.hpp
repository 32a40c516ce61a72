#pragma once
// What one agent frame does to the tree.

#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

enum class verdict {
  applied,    ///< its number is consumed, whether it changed anything or not
  need_full,  ///< the base of its delta is not here
  unread      ///< it needs a finished turn's record that has not been read (`facts_needed` comes first)
};

verdict apply_frame(step& s, attachment_row& on, const agent_event& frame);

}  // namespace throughline::state_sync
