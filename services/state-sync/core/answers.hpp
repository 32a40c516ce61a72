#pragma once
// Idempotent mutations (design 5.3): who may, in which order that is checked, and the one answer an id gets.

#include <string>

#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

/// 404 before 403, for every mutation, on one path (design 5.2). Null: refused, and the caller has been told.
member* admit(step& s, const asked& ask, const session_id& id, const caller& by, right needed);

/// Tells the caller no, without storing it: validation and rights only.
void refuse(step& s, reply_token to, int status, std::string_view code, std::string_view message);

/// True when this id has had its answer, or is no longer free: the caller has been told.
bool answered_before(step& s, const asked& ask, const std::string& scope, const caller& by);

struct outcome {
  int status = 200;
  std::string body;
  bool secret = false;
};
/// Stores the answer under its id, with whatever else this decision writes, and gives it.
void settle(step& s, reply_token to, member& m, const std::string& scope, const caller& by, outcome what);

std::string scope_of(const session_id& id);
std::string scope_of(const user_id& id);

}  // namespace throughline::state_sync
