#include <doctest/doctest.h>

#include "services/agent-bridge/core/bad_frame_meter.hpp"
#include "services/agent-bridge/core/credentials.hpp"
#include "services/agent-bridge/core/epoch_gate.hpp"
#include "services/agent-bridge/core/retry.hpp"

using namespace throughline;
using namespace throughline::agent_bridge;

TEST_CASE("100 bad frames in 10 s are too many, 100 in more are not") {
  bad_frame_meter fast;
  bad_frame_meter slow;
  bad_frame_meter::moment now{};
  for (int i = 0; i < 99; ++i) {
    CHECK_FALSE(fast.count(now + std::chrono::milliseconds(i)));
    CHECK_FALSE(slow.count(now + std::chrono::milliseconds(i * 102)));
  }
  CHECK(fast.count(now + std::chrono::milliseconds(9'999)));
  CHECK_FALSE(slow.count(now + std::chrono::milliseconds(99 * 102)));
}

TEST_CASE("an outdated epoch is not admitted; an unknown one is") {
  epoch_gate gate;
  CHECK(gate.admit(3));
  CHECK_FALSE(gate.admit(2));
  CHECK(gate.admit(0));
  CHECK(gate.admit(3));
  CHECK(gate.admit(4));
  CHECK_FALSE(gate.admit(3));
}

TEST_CASE("pauses double up to 1 s and are never the same for all") {
  CHECK(retry_delay(1, 0) == millis(25));
  CHECK(retry_delay(1, 25) == millis(50));
  CHECK(retry_delay(3, 0) == millis(100));
  for (unsigned failures = 1; failures < 100; ++failures) {
    CHECK(retry_delay(failures, 0) >= millis(25));
    CHECK(retry_delay(failures, ~0ull) <= millis(1000));
  }
  CHECK(retry_delay(send_failure::timeout, 50, 1234) < millis(50));
}

TEST_CASE("only what can be an agent token is looked up") {
  CHECK(agent_token("Bearer ha-aB_9-") == "ha-aB_9-");
  CHECK_FALSE(agent_token("").has_value());
  CHECK_FALSE(agent_token("bearer ha-abc").has_value());
  CHECK_FALSE(agent_token("Bearer ha-").has_value());
  CHECK_FALSE(agent_token("Bearer hl-abc").has_value());
  CHECK_FALSE(agent_token("Bearer ha-a b").has_value());
  CHECK_FALSE(agent_token("Bearer ha-" + std::string(300, 'a')).has_value());
}
