#pragma once
// How a row of `interactions` is selected and read, and how the entries of an open turn come back; for the write
// transaction and for reads.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/state-sync/core/rows.hpp"
#include "services/state-sync/shell/store/columns.hpp"

namespace throughline::state_sync {

/// Of table `i`, in the order in which `read_turn_row` reads.
#define THROUGHLINE_TURN_COLUMNS                                                                                \
  "i.session_id, i.id, i.ordinal, i.created_us, i.updated_us, i.completed_us, i.state, i.error, i.error_code, " \
  "i.prompt_message, i.prompt_id, i.usage, i.origin, i.thread, i.prompt_message_id, i.silent, i.digests, "      \
  "i.taken_over, i.command, i.named, i.interrupt, i.load_retried, i.in_doubt, i.end_owed, i.lost_since_us, "    \
  "i.doubt_since_us, i.last_frame_us, i.cancel_deadline_us, i.cancel_ids, i.truncated, i.folded_seq"
/// Patches of the open turn `i` that its fold does not hold, as `e`.
#define THROUGHLINE_TAIL_JOIN                                                                     \
  "JOIN events e ON e.session_id = i.session_id AND e.seq > greatest(i.folded_seq, i.began_seq) " \
  "AND e.kind = 2 AND e.interaction_id = i.id"

/// Without entries.
turn_row read_turn_row(row_reader& r);

/// Sets the visible entries of an open turn from its fold and the bodies of the patch events after it, in order; and
/// what those weigh.
void rebuild_entries(turn_row& turn, const std::optional<std::string>& fold, const std::vector<std::string>& patches);

}  // namespace throughline::state_sync
