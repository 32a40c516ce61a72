#pragma once
// How many frames could not be read lately: 100 in 10 s is a broken agent (design 5.5). Pure.

#include <chrono>
#include <cstddef>
#include <deque>

namespace throughline::agent_bridge {

class bad_frame_meter {
 public:
  using moment = std::chrono::steady_clock::time_point;
  static constexpr std::size_t frames_max = 100;
  static constexpr std::chrono::seconds window{10};

  /// Counts one; true when that makes it too many.
  bool count(moment now) {
    while (!seen_.empty() && now - seen_.front() >= window) seen_.pop_front();
    seen_.push_back(now);
    return seen_.size() >= frames_max;
  }

 private:
  std::deque<moment> seen_;
};

}  // namespace throughline::agent_bridge
