#pragma once
// An event on its way to viewers: its place, what the gateway must know of it, and its body, shared and unread.

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/id.hpp"
#include "common/base/position.hpp"
#include "common/model/event.hpp"

namespace throughline::replay {

using shared_text = std::shared_ptr<const std::string>;

struct live_event {
  position at;
  event_kind kind = event_kind::session_update;
  interaction_id interaction;  ///< empty where none
  bool terminal = false;       ///< an interaction_update with a terminal state
  shared_text body;
};

/// Bounds of a buffer of events; reaching either one is reaching the bound.
struct bounds {
  std::size_t count = 1024;
  std::size_t bytes = std::size_t{4} << 20;
};

}  // namespace throughline::replay
