#pragma once
// Time (design 6.4): what falls due, and when the next thing does.

#include <optional>

#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

inline constexpr millis unasked_silence_max{60'000};

/// Ends and opens what is due now: gates, seals, cancels, lost turns, unasked output, silent bridges.
void on_time(step& s);

/// Bridge silence counts from now on: this owner could not have heard anything until now.
void listen_afresh(step& s);

/// Turns open when the epoch rose are in doubt; called before anything else is decided.
void adopt_epoch(step& s);

tree::deadlines next_due(const tree_state& tree);

}  // namespace throughline::state_sync
