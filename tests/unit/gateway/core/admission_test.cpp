#include "services/gateway/core/admission.hpp"

#include <set>

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::gateway;

namespace {

constexpr admission::limits small{.lag_max = millis(1'000), .states_max = 10, .connections_max = 80};

admission::refusal refused(admission& a, const gateway_load& load, bool asks_state = false, millis now = millis(0)) {
  const auto got = a.refuse(load, asks_state, now);
  REQUIRE(got);
  return *got;
}

}  // namespace

TEST_CASE("who fits is taken") {
  admission a(small, 1);
  CHECK_FALSE(a.refuse({}, true, millis(0)));
  CHECK_FALSE(a.refuse({.lag = millis(999), .states_asked = 9, .connections = 69}, true, millis(0)));
  // What is shared with others costs no state of its own.
  CHECK_FALSE(a.refuse({.states_asked = 10}, false, millis(0)));
}

TEST_CASE("each bound turns away, and says which one it was") {
  admission a(small, 1);
  CHECK(refused(a, {.lag = millis(1'000)}).why == overload::lag);
  CHECK(refused(a, {.states_asked = 10}, true).why == overload::states);
  CHECK(refused(a, {.connections = 70}).why == overload::connections);
}

TEST_CASE("the more are turned away, the wider they are spread") {
  admission a(small, 1);
  const gateway_load full{.connections = 80};
  std::set<millis> early;
  for (int i = 0; i < 100; ++i) early.insert(refused(a, full).after);
  CHECK(early.size() > 50);
  CHECK(*early.begin() >= admission::after_min);
  CHECK(*early.rbegin() < admission::after_min + admission::spread_min);
  millis latest{0};
  for (int i = 0; i < 10'000; ++i) latest = std::max(latest, refused(a, full, false, millis(5'100)).after);
  CHECK(latest > millis(15'000));
  CHECK(latest < millis(21'000));
  for (int i = 0; i < 90'000; ++i) latest = std::max(latest, refused(a, full, false, millis(5'200)).after);
  CHECK(latest > millis(25'000));
  CHECK(latest < admission::after_min + admission::spread_max);
}

TEST_CASE("a storm that is over is forgotten") {
  admission a(small, 1);
  const gateway_load full{.connections = 80};
  for (int i = 0; i < 10'000; ++i) (void)a.refuse(full, false, millis(1'000));
  for (const auto at : {millis(15'000), millis(16'000), millis(60'000)}) {
    CHECK(refused(a, full, false, at).after < admission::after_min + admission::spread_min);
  }
}
