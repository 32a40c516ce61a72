#pragma once
// Numbered agents (design 5.5, 6.2..6.4): an instance is one life of an agent process, whatever sockets it has had. It
// numbers its frames and drops a prompt that it has, so what it had is known when it returns, and when another takes
// its place.

#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

/// The highest number of this instance that is committed, 0 when it has none: what `resume` tells it.
std::uint64_t committed_of(const tree_state& tree, const std::string& instance);

/// Both are sockets of one instance. Never true of agents that do not number.
bool is_same_instance(const attachment_row& one, const attachment_row& other);

/// `now_on` has just been attached after `before`. Its own instance back: the clocks stop. Another one: what ran before
/// is decided once all has been said over the older sockets (`decide_restart`). Either does not number: what is open is
/// in doubt (6.4).
void change_of_socket(step& s, const attachment_row& before, attachment_row& now_on);

/// What ran on an instance that another one has replaced: a prompt that no frame has named goes out again, anything
/// else has ended. Called at the end of every decision.
void decide_restart(step& s);

/// True for a prompt that went out, or may have, over an older socket of the instance that is there now, and that none
/// of its frames has named.
bool is_to_be_redelivered(const tree_state& tree, const turn& t);

}  // namespace throughline::state_sync
