#pragma once
// What a watched session of a gateway knows of a viewer: a user socket, or a stream of an answer.

#include <memory>
#include <optional>
#include <vector>

#include "services/gateway/core/watch.hpp"

namespace throughline::simulation {

class watcher {
 public:
  virtual ~watcher() = default;

  /// The answer to the knock; `refused` is the last call.
  virtual void admitted() = 0;
  virtual void refused() = 0;
  // A result: it takes no more until it is writable, and has everything up to there.
  virtual std::optional<position> take_state(const throughline::gateway::full_state& s, bool with_baseline) = 0;
  virtual std::optional<position> take_event(const replay::live_event& e) = 0;
  virtual std::optional<position> take_replay(const std::vector<replay::live_event>& events, position at) = 0;
  virtual void heartbeat(position at) = 0;
  /// Gone or no longer visible; the last call.
  virtual void not_found() = 0;
  virtual void gateway_died() = 0;
};

}  // namespace throughline::simulation
