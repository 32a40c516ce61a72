#pragma once
// A process that goes away tells its agents one after the other, so that they do not all come to its successors at once
// (G10). Pure.

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace throughline::agent_bridge {

/// How long after the drain began the agent at `index` of `count` is told to go: one every 20 ms, faster where half of
/// `time`, what the drain may take in all, would not do.
inline std::chrono::microseconds leaves_after(std::size_t index, std::size_t count, std::chrono::microseconds time) {
  constexpr std::chrono::microseconds slowest = std::chrono::milliseconds(20);
  if (index == 0 || count == 0) return std::chrono::microseconds(0);
  const auto pace = std::min(slowest, time / 2 / static_cast<long>(count));
  return std::max(pace, std::chrono::microseconds(0)) * static_cast<long>(index);
}

}  // namespace throughline::agent_bridge
