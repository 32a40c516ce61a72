#pragma once
// Frames that may have killed their owners (design 3.6): from the third attempt of a hand-over its frames are marked
// before they are applied, one at a time; one that is found marked by another life of an owner is refused.

#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

/// From this attempt of a hand-over on its frames are suspect.
inline constexpr std::uint32_t suspect_attempt = 3;

enum class caution {
  none,
  mark,   ///< it has just been marked as tried by this owner: to be decided again once that is committed
  alone,  ///< only the frame that comes next
  poison  ///< the frame that comes next is to be refused
};
/// `deadly`: this owner survives the frame that comes next, but its connection does not.
caution examine(step& s, attachment_row& a, const hand_over& h, bool deadly);

/// These frames are to be decided with nothing else in the transaction.
bool is_suspect(const tree_state& tree, const hand_over& h);

/// `number` is done with: the mark moves on to the next of its frames, which nobody has tried yet. An owner that is
/// replaced between two frames did not die of either.
void move_mark(attachment_row& a, std::uint64_t number);

/// Ends the turn of a frame that cannot be taken in, without looking at what it says.
void end_turn_of(step& s, const agent_event& frame);

}  // namespace throughline::state_sync
