#pragma once
// What a watched session knows of a viewer: a user socket today, a stream of an answer in the same way.

#include <optional>
#include <vector>

#include "services/gateway/core/watch.hpp"

namespace throughline::gateway {

class viewer_sink {
 public:
  virtual ~viewer_sink() = default;

  /// The answer to the knock; `refused` is the last call.
  virtual void admitted() = 0;
  virtual void refused() = 0;

  /// Takes a full state, or one event. A sink whose queue is full gives the position up to which it has everything
  /// (zero: not the state), and gets nothing more until it calls `watched_session::writable`.
  [[nodiscard]] virtual std::optional<position> take_state(const full_state& state, bool with_baseline) = 0;
  [[nodiscard]] virtual std::optional<position> take_event(const replay::live_event& event) = 0;

  /// v2. Takes what was missed, all of it, and is at `at` then; a position given back means the same as above.
  [[nodiscard]] virtual std::optional<position> take_replay(const std::vector<replay::live_event>& events,
                                                            position at) = 0;
  virtual void heartbeat(position at) = 0;

  /// Gone or no longer visible; the last call.
  virtual void not_found() = 0;
};

}  // namespace throughline::gateway
