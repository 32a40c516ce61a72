#include "services/gateway/core/drain_pace.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using throughline::gateway::drain_pace;

TEST_CASE("few and many are spread over all of the time, in steps") {
  const drain_pace few(30, millis(3'000));
  CHECK(few.when(0) == millis(0));
  CHECK(few.when(1) == millis(100));
  CHECK(few.when(29) == millis(2'900));
  const drain_pace many(10'000, millis(3'000));
  CHECK(many.when(166) == millis(0));
  CHECK(many.when(167) == drain_pace::step);
  CHECK(many.when(9'999) == millis(2'950));
}

TEST_CASE("no time, nobody") {
  CHECK(drain_pace(5, millis(0)).when(4) == millis(0));
  CHECK(drain_pace(0, millis(3'000)).when(0) == millis(0));
}

TEST_CASE("where staying does harm, no more leave per second than are called back, and all in the end") {
  CHECK(drain_pace::shortest(0, millis(10'000)) == millis(0));
  CHECK(drain_pace::shortest(3, millis(10'000)) == millis(6));
  CHECK(drain_pace::shortest(1'000, millis(10'000)) == millis(2'000));
  CHECK(drain_pace::shortest(100'000, millis(10'000)) == millis(10'000));
}
