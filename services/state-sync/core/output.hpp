#pragma once
// message_added: an agent's output, and what a person types in the editor.

#include "services/state-sync/core/frames.hpp"

namespace throughline::state_sync {

verdict put_output(step& s, attachment_row& on, const agent::message_added& m);
verdict put_user_entry(step& s, attachment_row& on, const agent::message_added& m);

}  // namespace throughline::state_sync
