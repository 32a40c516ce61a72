#include "common/ops/health.hpp"

#include <doctest/doctest.h>

using namespace throughline::ops;

TEST_CASE("ready when every condition is met, and again after it was not") {
  readiness state{"nats", "database"};
  CHECK_FALSE(state.ready());
  CHECK(state.why_not() == readiness::reasons{{"nats", "starting"}, {"database", "starting"}});
  state.met("nats");
  state.unmet("database", "unreachable");
  CHECK(state.why_not() == readiness::reasons{{"database", "unreachable"}});
  state.met("database");
  CHECK(state.ready());
  state.unmet("nats", "disconnected");
  CHECK_FALSE(state.ready());
  state.met("nats");
  CHECK(state.ready());
}

TEST_CASE("a reason nobody declared counts too") {
  readiness state{"nats"};
  state.met("nats");
  state.unmet("shutdown", "draining");
  CHECK_FALSE(state.ready());
}
