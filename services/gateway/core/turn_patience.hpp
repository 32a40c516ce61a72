#pragma once
// How long a waiter for an answer waits (design 5.3.1): until nothing has happened in the session's tree for too long.

#include <optional>

#include "common/base/instant.hpp"
#include "common/base/result.hpp"
#include "common/model/reply.hpp"

namespace throughline::gateway {

class turn_patience {
 public:
  /// Without an answer this often in a row, nobody knows of the agent.
  static constexpr unsigned asked_max = 3;

  turn_patience(millis idle_max, millis now) : idle_max_(idle_max), quiet_since_(now) {}

  /// The waiter's own session has shown something.
  void progress(millis now);
  /// Whether to ask what happened elsewhere in the tree.
  bool has_ended(millis now) const { return now - quiet_since_ >= idle_max_; }
  /// The answer; absent where none came in time. Gives why to wait no longer: `agent_offline`, `agent_timeout`, or
  /// `unavailable` where that cannot be told.
  std::optional<error> heard(const std::optional<activity_reading>& answer, millis now);

 private:
  millis idle_max_;
  millis quiet_since_;
  unsigned unanswered_ = 0;
};

}  // namespace throughline::gateway
