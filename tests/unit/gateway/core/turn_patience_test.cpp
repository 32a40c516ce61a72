#include "services/gateway/core/turn_patience.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using gateway::turn_patience;

namespace {

constexpr millis idle{5'000};

activity_reading tree(bool attached, std::optional<millis> age) {
  return {.found = true, .attached = attached, .age = age};
}

std::string code_of(const std::optional<error>& why) {
  return why ? why->code : "none";
}

}  // namespace

TEST_CASE("patience ends when nothing was shown for long enough, and progress renews it") {
  turn_patience patience(idle, millis(1'000));
  CHECK_FALSE(patience.has_ended(millis(5'999)));
  CHECK(patience.has_ended(millis(6'000)));
  patience.progress(millis(6'000));
  CHECK_FALSE(patience.has_ended(millis(10'999)));
}

TEST_CASE("what another thread of the tree did counts from when it was") {
  turn_patience patience(idle, millis(0));
  CHECK(code_of(patience.heard(tree(true, millis(2'000)), millis(6'000))) == "none");
  CHECK_FALSE(patience.has_ended(millis(8'999)));
  CHECK(patience.has_ended(millis(9'000)));
}

TEST_CASE("a quiet tree is told apart by whether an agent is there") {
  turn_patience patience(idle, millis(0));
  CHECK(code_of(patience.heard(tree(true, idle), millis(6'000))) == "agent_timeout");
  CHECK(code_of(patience.heard(tree(false, idle), millis(6'000))) == "agent_offline");
  CHECK(code_of(patience.heard(tree(false, std::nullopt), millis(6'000))) == "agent_offline");
}

TEST_CASE("without an answer it is asked again, a few times, and nothing is said of the agent") {
  turn_patience patience(idle, millis(0));
  for (unsigned n = 1; n < turn_patience::asked_max; ++n) {
    CHECK(code_of(patience.heard(std::nullopt, millis(6'000))) == "none");
    CHECK(patience.has_ended(millis(6'000)));
  }
  CHECK(code_of(patience.heard(std::nullopt, millis(6'000))) == "unavailable");
}

TEST_CASE("only failures in a row count: an answer, or progress, begins anew") {
  turn_patience patience(idle, millis(0));
  for (unsigned n = 0; n < 3 * turn_patience::asked_max; ++n) {
    CHECK(code_of(patience.heard(std::nullopt, millis(6'000))) == "none");
    if (n % 2 == 0) {
      patience.progress(millis(6'000));
    } else {
      CHECK(code_of(patience.heard(tree(true, millis(0)), millis(6'000))) == "none");
    }
  }
}
