#pragma once
// thread_load_error and chat_response_error (design 6.3).

#include <string_view>

#include "services/state-sync/core/frames.hpp"
#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

/// The thread is known not to be there, or was let go of: only then is it given up (P-A7.8, P-G20).
bool says_thread_is_gone(std::string_view error, const thread_id& thread);

void on_load_error(step& s, const attachment_row& on, const agent::thread_load_error& e);
verdict on_response_error(step& s, const agent::chat_response_error& e);

}  // namespace throughline::state_sync
