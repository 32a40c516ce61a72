#pragma once
// How those that a gateway sends away are spread over time: evenly, so that none of the gateways they go to gets them
// all at once. Values only.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/base/instant.hpp"
#include "services/gateway/core/admission.hpp"

namespace throughline::gateway {

class drain_pace {
 public:
  static constexpr millis step{50};

  /// Where staying does harm: the shortest time in which no more leave per second than a gateway calls back of those it
  /// turned away (admission.hpp).
  static millis shortest(std::size_t count, millis most) {
    return std::min(most, millis(count * 1'000 / admission::back_per_second));
  }

  drain_pace(std::size_t count, millis spread) : count_(static_cast<std::int64_t>(count)), spread_(spread) {}

  /// When the one with this number (from 0) goes, counted from the beginning; below `spread`.
  millis when(std::size_t number) const {
    if (count_ == 0) return millis(0);
    return spread_ * static_cast<std::int64_t>(number) / count_ / step.count() * step.count();
  }

 private:
  std::int64_t count_;
  millis spread_;
};

}  // namespace throughline::gateway
