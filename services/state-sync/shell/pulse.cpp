#include "services/state-sync/shell/pulse.hpp"

namespace throughline::state_sync {

bool pulse::tick(time_point now) {
  const std::lock_guard hold(guard_);
  const bool paused = now - last_tick_ > gap_max;
  if (paused) {
    paused_from_ = last_tick_;
    resumed_at_ = now;
  }
  last_tick_ = now;
  return paused;
}

pulse::time_point pulse::received_at(time_point now) const {
  const std::lock_guard hold(guard_);
  if (now - last_tick_ > gap_max) return last_tick_;
  if (resumed_at_ != time_point{} && now - resumed_at_ < catch_up) return paused_from_;
  return now;
}

bool pulse::timers_may_run(time_point now) const {
  const std::lock_guard hold(guard_);
  if (now - last_tick_ > gap_max) return false;
  return resumed_at_ == time_point{} || now - resumed_at_ >= catch_up;
}

}  // namespace throughline::state_sync
