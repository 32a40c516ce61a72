#include "services/gateway/core/turn_patience.hpp"

namespace throughline::gateway {

void turn_patience::progress(millis now) {
  quiet_since_ = now;
  unanswered_ = 0;
}

std::optional<error> turn_patience::heard(const std::optional<activity_reading>& answer, millis now) {
  if (!answer) {
    if (++unanswered_ < asked_max) return std::nullopt;
    return error{"unavailable", "what became of the turn cannot be asked at the moment; the turn is untouched"};
  }
  unanswered_ = 0;
  if (answer->age && *answer->age < idle_max_) {
    quiet_since_ = now - *answer->age;
    return std::nullopt;
  }
  if (!answer->attached) return error{"agent_offline", "no agent is connected; the turn is untouched"};
  return error{"agent_timeout", "nothing was heard of the agent for too long; the turn is untouched"};
}

}  // namespace throughline::gateway
