#pragma once
// An input on its way to a decision, and what the shell must know of a request without deciding anything.

#include <chrono>
#include <cstddef>
#include <optional>

#include "common/base/id.hpp"
#include "common/base/ulid.hpp"
#include "services/state-sync/core/input.hpp"
#include "services/state-sync/shell/store/store.hpp"

namespace throughline::state_sync {

struct pending_input {
  using time_point = std::chrono::steady_clock::time_point;

  session_id to;  ///< as addressed: any session of the tree
  input what;
  time_point received{};
  millis budget{0};  ///< of its sender, from `received`; 0: nobody waits
  std::size_t weight = 0;
  bool in_doubt = false;      ///< was in a transaction of which nobody knows whether it committed
  std::uint64_t tried = 0;    ///< in its last transaction: the first of its frames that was applied, not only marked
  bool failed_alone = false;  ///< decided alone once and refused by the database; it gets one more try after a reload

  bool spent(time_point now) const { return budget.count() > 0 && now - received >= budget; }
  /// So near its end that a sender who is told now still hears it. One that hears nothing takes it that the input may
  /// have been tried, and counts that against it (3.6).
  bool nearly_spent(time_point now) const { return budget.count() > 0 && now - received >= budget * 3 / 4; }
  asked* request() { return std::get_if<asked>(&what); }
  const asked* request() const { return std::get_if<asked>(&what); }
};

/// The frames of a bridge that the input hands over, if that is what it does.
hand_over* frames_of(pending_input& input);
const hand_over* frames_of(const pending_input& input);

const session_id& session_of(const session_request& request);
/// The shard a session is in; malformed ids, which exist nowhere, count as 0.
shard_number shard_or_zero(const session_id& session);
/// Under which the answer of a mutation is stored (design 5.3); empty for the bridge's requests.
std::optional<answer_key> answer_key_of(const session_request& request);

/// The typed refusal of an input that cannot be carried out, in the form its sender expects.
reply refusal_of(const session_request& request, int status, const char* code, const char* message);

}  // namespace throughline::state_sync
