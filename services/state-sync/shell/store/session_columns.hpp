#pragma once
// How a row of `sessions` is selected and read; for the write transaction and for reads.

#include "services/state-sync/core/rows.hpp"
#include "services/state-sync/shell/store/columns.hpp"

namespace throughline::state_sync {

/// Of table `s`, in the order in which `read_session_row` reads.
#define THROUGHLINE_SESSION_COLUMNS                                                                        \
  "s.id, s.root, s.parent, s.owner, s.name, s.agent_name_wanted, s.metadata, s.created_us, s.updated_us, " \
  "s.status, s.agent_name, s.agent_since_us, s.zed_thread, s.waiting_interaction, s.last_request, "        \
  "s.request_started_us, s.next_ordinal, s.deleted"

session_row read_session_row(row_reader& r);

}  // namespace throughline::state_sync
