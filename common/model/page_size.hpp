#pragma once
// The most that one page of a list holds (design 5.3): what is asked beyond it is cut to it, by who asks and by who
// reads, so that `pageSize` is what was used.

#include <cstdint>

namespace throughline {

inline constexpr std::uint64_t sessions_per_page_max = 200;
inline constexpr std::uint64_t interactions_per_page_max = 1'000;

}  // namespace throughline
