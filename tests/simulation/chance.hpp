#pragma once
// All chance of a run comes from its seed through this.

#include <cstdint>

#include "common/base/instant.hpp"
#include "common/base/ulid.hpp"

namespace throughline::simulation {

class chance {
 public:
  explicit chance(std::uint64_t seed) : source_(seed * 0x9e3779b97f4a7c15ULL + 1) {}

  std::uint64_t next() { return source_.next(); }
  std::uint64_t below(std::uint64_t n) { return source_.next() % n; }
  bool one_in(std::uint64_t n) { return n != 0 && below(n) == 0; }  ///< 0: never
  micros between(micros least, micros most) {
    return least + micros(below(static_cast<std::uint64_t>((most - least).count()) + 1));
  }
  id_source& ids() { return source_; }

 private:
  id_source source_;
};

}  // namespace throughline::simulation
