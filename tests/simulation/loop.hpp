#pragma once
// Virtual time: everything that happens in a run is an event here, and two runs of one seed have the same events.

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <utility>
#include <vector>

#include "common/base/instant.hpp"

namespace throughline::simulation {

/// What a process or connection holds while it lives; events planned for it die with it.
using life = std::shared_ptr<const int>;
inline life new_life() {
  return std::make_shared<const int>(0);
}

class event_loop {
 public:
  micros now() const { return now_; }

  void after(micros delay, const life& of, std::function<void()> what) {
    events_.push({now_ + delay, ++count_, of, std::move(what)});
  }

  /// Runs the next event that is due until then; false when there is none, and it is `until`.
  bool step(micros until) {
    while (!events_.empty() && events_.top().at <= until) {
      // Moving out of the top is safe: the order looks only at `at` and `number`.
      auto next = std::move(const_cast<event&>(events_.top()));
      events_.pop();
      now_ = next.at;
      if (next.of.expired()) continue;
      next.what();
      return true;
    }
    now_ = until;
    return false;
  }
  std::uint64_t events() const { return count_; }

 private:
  struct event {
    micros at;
    std::uint64_t number;
    std::weak_ptr<const int> of;
    std::function<void()> what;
    bool operator<(const event& other) const { return std::pair(at, number) > std::pair(other.at, other.number); }
  };

  micros now_{0};
  std::uint64_t count_ = 0;
  std::priority_queue<event> events_;
};

}  // namespace throughline::simulation
