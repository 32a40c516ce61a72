#pragma once
// One viewer of a watched session, as the watch sees it: where it stands and what it waits for.

#include <cstddef>
#include <cstdint>

#include "common/base/id.hpp"
#include "common/base/instant.hpp"
#include "common/base/position.hpp"

namespace throughline::gateway {

/// Names a viewer within its watch; used again after the viewer has left.
using viewer_key = std::uint32_t;

enum class wire_version : std::uint8_t { v1, v2 };

enum class viewer_state : std::uint8_t {
  vacant,          ///< nobody
  knocking,        ///< waits to hear whether it may watch
  admitted,        ///< may watch; its socket is not open yet
  awaiting_state,  ///< gets the full state next
  resuming,        ///< v2: gets the events after `since` next
  live,            ///< gets every event above `at`
  lagging,         ///< its queue is full: gets nothing until it is writable
  drained,         ///< writable again; gets the next full state shared by all laggards
};
inline constexpr std::size_t viewer_state_count = 8;

struct viewer {
  viewer_state state = viewer_state::vacant;
  wire_version version = wire_version::v1;
  user_id user;
  millis knocked_at{0};
  position since;                ///< of one that resumes
  std::uint64_t resumes_by = 0;  ///< of one that resumes: the first read that was asked with it in mind
  position at;                   ///< it has everything up to here; zero: it needs a full state
  /// Of one that waits for a full state: current for it is one at or above this position (all that was known when it
  /// began to wait), or from this read on.
  position needs;
  std::uint64_t needs_read = 0;
};

}  // namespace throughline::gateway
