#pragma once
// Stored names of the enums of rows.hpp that viewers never see.

#include "services/state-sync/core/rows.hpp"
#include "services/state-sync/shell/store/columns.hpp"

namespace throughline::state_sync {

inline constexpr enum_names<turn_origin, 3> origin_names{{"prompt", "editor", "unasked"}};
inline constexpr enum_names<attachment_state, 4> attachment_names{{"live", "superseded", "sealed", "detached"}};
inline constexpr enum_names<command_state, 2> command_state_names{{"sent", "written"}};
inline constexpr enum_names<command_kind, 3> command_kind_names{{"chat_message", "open_thread", "cancel_current_turn"}};

}  // namespace throughline::state_sync
