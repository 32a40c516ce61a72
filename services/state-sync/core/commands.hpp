#pragma once
// What is sent to an agent. One function builds every command from its row, with the full set of fields (P-G22).

#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

agent_command build_command(step& s, const command_row& c);

/// Sends the prompt of a turn over the attachment; its row is kept while the turn is open.
/// `again`: a numbered agent may have had it before.
void send_prompt(step& s, turn& t, const attachment_row& over, bool again = false);
/// Whoever it went to does not have it: it waits to be sent over the next ready socket (queue.cpp).
void unsend(step& s, turn& t);
void send_open_thread(step& s, attachment_row& over);
void send_cancel(step& s, turn& t, const attachment_row& over);

/// Orders whose answer nobody has: repeated by a new owner.
void order_again(step& s);

void on_outcome(step& s, reply_token from, const command_outcome& o);

}  // namespace throughline::state_sync
