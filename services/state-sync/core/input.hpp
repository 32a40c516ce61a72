#pragma once
// What the session core is told: requests from outside, with what the store knows about their ids, and time.

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/instant.hpp"
#include "common/base/ulid.hpp"
#include "common/model/request.hpp"
#include "services/state-sync/core/rows.hpp"

namespace throughline::state_sync {

/// Names who waits for a reply; the shell maps it to a NATS message. 0: nobody waits.
using reply_token = std::uint64_t;

/// A request, read under the session's row lock. `prior` is the stored answer under its id, when there is one;
/// an answer decided earlier in the same transaction counts as stored.
struct asked {
  session_request request;
  reply_token from = 0;
  std::optional<answer_row> prior;
  /// The frame of a hand-over that has cost the owner its connection too often, with nothing else in the transaction:
  /// it is refused (3.6). 0: none.
  std::uint64_t deadly = 0;
};
/// A deadline of this tree has passed (`next_deadline`).
struct time_passed {};
/// This owner has just loaded the tree after taking its shard: bridge silence is counted afresh, commands without an
/// answer are repeated.
struct taken_over {};

using input = std::variant<asked, time_passed, taken_over>;

/// Bounds that are settings.
struct limits {
  millis stale_after{300'000};
  millis ready_timeout{60'000};
};

/// Time and chance of one `apply`. `now` is the database's clock; `steady` never jumps (bridge silence, retries).
struct context {
  instant now;
  millis steady{0};
  std::uint64_t epoch = 0;
  id_source* ids = nullptr;
  limits bounds;
  std::string_view owner = {};  ///< names this life of the owner, unlike any other
};

}  // namespace throughline::state_sync
