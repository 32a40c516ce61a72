#include "services/state-sync/shell/commit_health.hpp"

namespace throughline::state_sync {

void commit_health::worked(std::size_t writer) {
  const std::lock_guard hold(guard_);
  writers_.at(writer) = {};
}

void commit_health::failed(std::size_t writer, const std::string& why, time_point now) {
  const std::lock_guard hold(guard_);
  auto& r = writers_.at(writer);
  if (r.failures++ == 0) r.first = now;
  r.why = why;
  r.last = now;
}

std::string commit_health::why_not(time_point now) const {
  const std::lock_guard hold(guard_);
  for (const auto& r : writers_) {
    const bool fails = r.failures >= failures_max || (r.failures > 0 && now - r.first >= failing_max);
    if (fails && now - r.last < word_age_max) return "nothing is committed: " + r.why;
  }
  return {};
}

}  // namespace throughline::state_sync
