#pragma once
// The clocks of the shell, as the core's values.

#include <chrono>
#include <cstdint>

#include "common/base/instant.hpp"

namespace throughline::gateway {

/// Never jumps; starts anywhere.
inline millis steady_now() {
  return std::chrono::duration_cast<millis>(std::chrono::steady_clock::now().time_since_epoch());
}

inline double unix_now_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

inline std::uint64_t unix_now_ms() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<millis>(std::chrono::system_clock::now().time_since_epoch()).count());
}

}  // namespace throughline::gateway
