#pragma once
// Cancelling (design 6.3): queued prompts go at once, a dispatched turn is asked to stop and decided within 10 s. Who
// asked is answered when it is decided.

#include <optional>
#include <string>

#include "services/state-sync/core/step.hpp"

namespace throughline::state_sync {

inline constexpr millis cancel_patience{10'000};

void on_cancel(step& s, const asked& ask, const cancel_turn& what);

/// Asks the agent to stop this turn; ends it at once where there is nobody to ask. A repeat changes nothing.
void start_cancel(step& s, turn& t);

/// The turn has just ended: the answers of those who asked to cancel it.
void decide_cancel(step& s, turn& t);

/// A cancel of this session that waits for its decision under this id.
struct pending {
  turn* which = nullptr;
  std::string id;
  std::string fingerprint;
};
std::optional<pending> pending_cancel(step& s, const std::string& scope, const std::string& id);
void join_cancel(step& s, const pending& p, reply_token to);

}  // namespace throughline::state_sync
