#pragma once
// Frames that may have killed their owners (design 3.6): from the third attempt of a hand-over its frames are marked
// before they are applied, one at a time; one that several lives of owners began to try and did not finish is refused.

#include <string_view>

#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

/// From this attempt of a hand-over on its frames are suspect.
inline constexpr std::uint32_t suspect_attempt = 3;
/// Lives of owners that may begin to try a suspect frame; who finds it unfinished after them refuses it. One that was
/// replaced while it tried (its database died, it was stopped) need not have died of the frame: with two of them in a
/// row, after two attempts without an answer, it is taken for that.
inline constexpr std::size_t lives_max = 2;

enum class caution {
  none,
  mark,   ///< it has just been marked as tried by this owner: to be decided again once that is committed
  alone,  ///< only the frame that comes next
  poison  ///< the frame that comes next is to be refused
};
/// `deadly`: the number of a frame that this owner survives, but its connection does not; 0: none.
caution examine(step& s, attachment_row& a, const hand_over& h, std::uint64_t deadly);

/// These frames are to be decided with nothing else in the transaction, unless they only get this owner's mark.
bool is_suspect(const tree_state& tree, const hand_over& h);
/// They are, and nothing of them will be tried yet: `owner` has still to say that it will.
bool needs_mark(const tree_state& tree, const hand_over& h, std::string_view owner);

/// `number` is done with: the mark moves on to the next of its frames, which nobody has tried yet. An owner that is
/// replaced between two frames did not die of either.
void move_mark(attachment_row& a, std::uint64_t number);

/// Ends the turn of a frame that cannot be taken in, without looking at what it says.
void end_turn_of(step& s, const agent_event& frame);

}  // namespace throughline::state_sync
