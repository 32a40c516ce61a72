#pragma once
// Notices that this process stood still (SIGSTOP, a starved machine): a gap of more than 2 s between two ticks (design
// 3.5). What arrives right after such a gap was sent during it, and counts as received when it began. Any thread.

#include <chrono>
#include <mutex>

namespace throughline::state_sync {

class pulse {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds gap_max{2000};
  static constexpr std::chrono::milliseconds tick_interval{100};
  /// After a pause: how long pending input is read before timers run.
  static constexpr std::chrono::milliseconds catch_up{250};

  explicit pulse(time_point now) : last_tick_(now) {}

  /// Called every `tick_interval`. True when the process stood still until now.
  bool tick(time_point now);
  /// When a message that is read now is taken to have been received.
  time_point received_at(time_point now) const;
  /// False while pending input is to be read before timers.
  bool timers_may_run(time_point now) const;

 private:
  mutable std::mutex guard_;
  time_point last_tick_;
  time_point paused_from_{};
  time_point resumed_at_{};
};

}  // namespace throughline::state_sync
