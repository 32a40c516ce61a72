#pragma once
// One turn in memory: its row, its transcript, and who waits for its cancel. The legal changes of state are one table
// and `set_state` the only door to a state.

#include <string>
#include <vector>

#include "services/state-sync/core/input.hpp"
#include "services/state-sync/core/rows.hpp"
#include "services/state-sync/core/transcript.hpp"

namespace throughline::state_sync {

/// A caller of cancel whose answer waits for the decision. Not stored: who asks again under the id joins again.
struct cancel_waiter {
  std::string id;
  reply_token to = 0;
};

struct turn {
  turn_row row;     ///< `record.entries` stays empty here: `text` has them
  transcript text;  ///< of a finished turn only while `loaded`
  bool loaded = true;
  std::vector<cancel_waiter> waiters;

  const interaction_id& id() const { return row.record.id; }
  bool open() const { return !is_terminal(row.record.state); }
  bool holds_queue() const { return open() && row.origin != turn_origin::unasked; }
  /// Dispatched, and known not to have reached the agent: to be sent when a socket is ready and the thread is free.
  bool unsent() const { return open() && row.origin == turn_origin::prompt && !row.command && !row.named; }
  bool cancelling() const { return row.cancel_deadline.has_value(); }
};

/// Terminal states never change (design 6.3).
bool may_become(turn_state from, turn_state to);

/// Throws broken_invariant when the table does not have the change.
void set_state(turn& t, turn_state to);

/// The id under which the agent may speak of this turn: its own, or the one it has taken over (6.1 rule 2).
bool is_called(const turn& t, const request_id& id);

/// True iff one of its entries, shown or still empty, has this id.
bool has_message(const turn& t, const message_id& id);

/// The row as it is to be written: entries in full for a finished turn, none for an open one.
turn_row row_to_write(const turn& t);

}  // namespace throughline::state_sync
