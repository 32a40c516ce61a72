#include "services/state-sync/shell/pulse.hpp"

#include <doctest/doctest.h>

using namespace throughline::state_sync;
using namespace std::chrono_literals;

namespace {

constexpr pulse::time_point start(std::chrono::hours(1));

}  // namespace

TEST_CASE("a process that ticks receives messages when it reads them") {
  pulse p(start);
  CHECK_FALSE(p.tick(start + 100ms));
  CHECK_FALSE(p.tick(start + 2100ms));  // a gap of exactly the bound is none
  CHECK(p.received_at(start + 2150ms) == start + 2150ms);
  CHECK(p.timers_may_run(start + 2150ms));
}

TEST_CASE("what is read right after a pause was sent during it") {
  pulse p(start);
  CHECK(p.tick(start + 10s));
  CHECK(p.received_at(start + 10s + 100ms) == start);
  CHECK_FALSE(p.timers_may_run(start + 10s + 100ms));
  CHECK(p.received_at(start + 10s + pulse::catch_up) == start + 10s + pulse::catch_up);
  CHECK(p.timers_may_run(start + 10s + pulse::catch_up));
}

TEST_CASE("a pause is seen even before the first tick after it") {
  pulse p(start);
  CHECK(p.received_at(start + 10s) == start);
  CHECK_FALSE(p.timers_may_run(start + 10s));
}
