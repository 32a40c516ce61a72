#pragma once
// Prompts: one way in, in order, one in flight (design 6.3, P-G16..18). Nothing else sends a prompt.

#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

inline constexpr std::size_t queued_prompts_max = 100;

void on_post(step& s, const asked& ask, const post_prompt& what);

/// Sends what is out and reached nobody, and starts the next prompt of every session that may have one out. Called once
/// at the end of a decision.
void dispatch(step& s);

}  // namespace throughline::state_sync
