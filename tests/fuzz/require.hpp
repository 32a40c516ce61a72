#pragma once
// A property that does not hold ends the run, so that the fuzzer keeps the input.

#include <cstdlib>

namespace throughline::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace throughline::fuzz
