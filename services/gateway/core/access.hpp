#pragma once
// May this user do that with this session? One answer for what does not exist and what is not visible (G9).

#include "common/base/result.hpp"
#include "common/codec/render.hpp"
#include "common/model/session.hpp"

namespace throughline::gateway {

/// The 404 of a session that does not exist, is malformed, is deleted or is not visible: they cannot be told apart.
inline std::unexpected<error> not_visible() {
  return std::unexpected(codec::no_such_session());
}

/// `access` is null where there is no such session. Errors: `not_found`, then `forbidden`.
inline result<void> judge(const access_list* access, const user_id& user, right needed) {
  if (access == nullptr) return not_visible();
  const auto held = right_of(*access, user);
  if (held < right::watch) return not_visible();
  if (held < needed) return fail("forbidden", "your rights on this session do not include this");
  return {};
}

}  // namespace throughline::gateway
