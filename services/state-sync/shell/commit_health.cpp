#include "services/state-sync/shell/commit_health.hpp"

#include <algorithm>

namespace throughline::state_sync {

void commit_health::worked(std::size_t writer) {
  const std::lock_guard hold(guard_);
  commits_.at(writer) = {};
}

void commit_health::failed(std::size_t writer, const std::string& why, time_point now) {
  const std::lock_guard hold(guard_);
  auto& r = commits_.at(writer);
  if (r.failures++ == 0) r.first = now;
  r.why = why;
  r.last = now;
}

void commit_health::connecting(std::size_t writer, const std::string& why_not, time_point began, time_point ended) {
  const std::lock_guard hold(guard_);
  auto& r = connects_.at(writer);
  if (r.why.empty() || began - r.ended > word_age_max) r.began = began;
  r.why = why_not;
  r.ended = ended;
}

void commit_health::goes_on(std::size_t writer, time_point now, std::chrono::milliseconds longer) {
  const std::lock_guard hold(guard_);
  went_on_.at(writer) = now + longer;
}

void commit_health::was_paused(time_point now) {
  const std::lock_guard hold(guard_);
  for (auto& at : went_on_) {
    if (at != time_point{}) at = std::max(at, now);
  }
}

void commit_health::can_connect() {
  const std::lock_guard hold(guard_);
  for (std::size_t writer = 0; writer < writers_max; ++writer) {
    if (!connects_[writer].why.empty()) commits_[writer] = {};
  }
  connects_ = {};
}

std::string commit_health::why_not(time_point now) const {
  const std::lock_guard hold(guard_);
  if (any_stands_still(now)) return "nothing is committed: a writer stands still";
  for (const auto& r : commits_) {
    const bool fails = r.failures >= failures_max || (r.failures > 0 && now - r.first >= failing_max);
    if (fails && now - r.last < word_age_max) return "nothing is committed: " + r.why;
  }
  return {};
}

std::string commit_health::cannot_write(time_point now) const {
  const std::lock_guard hold(guard_);
  if (any_stands_still(now)) return "a writer stands still";
  for (const auto& r : connects_) {
    if (!r.why.empty() && r.ended - r.began >= unconnected_max) return "a writer cannot connect: " + r.why;
  }
  return {};
}

bool commit_health::stands_still(time_point now) const {
  const std::lock_guard hold(guard_);
  return any_stands_still(now);
}

bool commit_health::hopeless(time_point now, bool holds_shards) const {
  const std::lock_guard hold(guard_);
  return any_stands_still(now, holds_shards ? hopeless_max : standing_still_max);
}

bool commit_health::any_stands_still(time_point now, std::chrono::seconds longest) const {
  return std::ranges::any_of(went_on_, [&](time_point at) { return at != time_point{} && now - at >= longest; });
}

}  // namespace throughline::state_sync
