#include "common/ops/health.hpp"

namespace throughline::ops {

readiness::readiness(std::initializer_list<std::string_view> conditions) {
  for (const auto condition : conditions) why_not_.emplace(condition, "starting");
}

void readiness::met(std::string_view condition) {
  const std::scoped_lock lock(guard_);
  const auto found = why_not_.find(condition);
  if (found != why_not_.end()) why_not_.erase(found);
}

void readiness::unmet(std::string_view condition, std::string_view reason) {
  const std::scoped_lock lock(guard_);
  why_not_.insert_or_assign(std::string(condition), std::string(reason));
}

bool readiness::ready() const {
  const std::scoped_lock lock(guard_);
  return why_not_.empty();
}

readiness::reasons readiness::why_not() const {
  const std::scoped_lock lock(guard_);
  return why_not_;
}

}  // namespace throughline::ops
