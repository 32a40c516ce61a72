#pragma once
// Which session a thread belongs to (design 6.1 Binding): three frames may bind one, and nothing else does.

#include <cstddef>
#include <optional>
#include <string>

#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

/// Threads of one tree, retired ones too, and so child sessions: above it frames of a new one are ignored. A session of
/// the tree whose open turn waits for its thread still gets one, up to twice as many.
inline constexpr std::size_t threads_max = 1'000;

/// thread_created and user_created_thread: binds the thread to the turn it names or to the session that waits for one;
/// any other is remembered, and becomes a child session with its first user entry.
void announce_thread(step& s, const thread_id& thread, const request_id& request,
                     const std::optional<std::string>& title);

/// The session of a thread on which a person has written, made if need be; null for a thread that is retired, or
/// new in a tree that has all it may have.
member* session_for_user_entry(step& s, const thread_id& thread, const request_id& request);

void retitle(step& s, const thread_id& thread, const std::string& title);

/// The agent no longer has it: frames of it bind nothing from now on, and the session goes on without a thread.
void retire(step& s, const thread_id& thread);

}  // namespace throughline::state_sync
