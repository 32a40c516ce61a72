#pragma once
// What people do to a session other than prompting and cancelling (design 5.2, 5.3).

#include <cstddef>

#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

/// Of one tree.
inline constexpr std::size_t grants_max = 1'000;
inline constexpr std::size_t agent_tokens_max = 1'000;  ///< live ones

void on_create(step& s, const asked& ask, const create_session& c);
void on_rename(step& s, const asked& ask, const rename_session& r);
void on_delete(step& s, const asked& ask, const delete_session& d);
void on_put_grant(step& s, const asked& ask, const put_grant& g);
void on_delete_grant(step& s, const asked& ask, const delete_grant& g);
void on_mint_token(step& s, const asked& ask, const mint_agent_token& m);
void on_revoke_tokens(step& s, const asked& ask, const revoke_agent_tokens& r);

}  // namespace throughline::state_sync
