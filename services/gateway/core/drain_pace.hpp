#pragma once
// How those that a draining gateway sends away are spread over time: evenly, so that none of the gateways they
// go to gets them all at once. Values only.

#include <cstddef>
#include <cstdint>

#include "common/base/instant.hpp"

namespace throughline::gateway {

class drain_pace {
 public:
  static constexpr millis step{50};

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
