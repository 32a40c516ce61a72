#pragma once
// A guarantee that does not hold: which check found it, and what it saw.

#include <stdexcept>
#include <string>
#include <utility>

namespace throughline::simulation {

struct violation : std::runtime_error {
  violation(std::string by, const std::string& what) : std::runtime_error(what), check(std::move(by)) {}
  std::string check;
};

inline void must(bool holds, const char* check, const std::string& what) {
  if (!holds) throw violation(check, what);
}

}  // namespace throughline::simulation
