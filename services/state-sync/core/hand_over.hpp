#pragma once
// Numbered hand-over (design 3.10): frames are applied in number order, once each.

#include <utility>
#include <vector>

#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

void on_hand_over(step& s, const asked& ask, const hand_over& h);

std::vector<std::pair<session_id, interaction_id>> facts_of(tree_state& tree, const hand_over& h);

}  // namespace throughline::state_sync
