#pragma once
// The recent events of one session, contiguous, bounded by count and bytes (the oldest go first). One thread.

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "common/replay/live_event.hpp"

namespace throughline::replay {

class ring {
 public:
  explicit ring(bounds limits = {}) : limits_(limits) {}

  /// Adds the next event. One that does not follow the last (a jump, another epoch) empties the ring first.
  void add(live_event event);

  /// The events after `since` up to the newest one, oldest first. Empty optional: the ring does not reach back that
  /// far, or `since` is of another epoch or ahead of the newest. An empty list: `since` is the newest.
  std::optional<std::vector<live_event>> after(position since) const;

  /// Forgets everything: after a reset, nothing from before it may be replayed.
  void clear();

  std::size_t size() const { return events_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  bounds limits_;
  std::deque<live_event> events_;
  std::size_t bytes_ = 0;
};

}  // namespace throughline::replay
