#include "services/gateway/core/nats_outage.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using throughline::gateway::nats_outage;

namespace {

constexpr millis step{1};

}  // namespace

TEST_CASE("an outage cuts off when it has lasted, and says so once") {
  nats_outage outage(millis(0));
  outage.connected();
  CHECK_FALSE(outage.cuts_off(millis(1'000'000)));
  outage.disconnected(millis(1'000'000));
  const auto end = millis(1'000'000) + nats_outage::longest;
  CHECK_FALSE(outage.cuts_off(end - step));
  CHECK_FALSE(outage.take_cut(end - step));
  CHECK(outage.cuts_off(end));
  CHECK(outage.take_cut(end));
  CHECK_FALSE(outage.take_cut(end + step));
  CHECK(outage.cuts_off(end + nats_outage::longest));
}

TEST_CASE("back again, it serves at once, and the next outage counts from its own beginning") {
  nats_outage outage(millis(0));
  outage.connected();
  outage.disconnected(millis(10'000));
  CHECK(outage.take_cut(millis(20'000)));
  outage.connected();
  CHECK_FALSE(outage.cuts_off(millis(20'000)));
  outage.disconnected(millis(21'000));
  CHECK_FALSE(outage.cuts_off(millis(25'999)));
  CHECK(outage.take_cut(millis(26'000)));
}

TEST_CASE("short outages one after the other cut off nobody") {
  nats_outage outage(millis(0));
  for (int second = 0; second < 60; second += 3) {
    outage.connected();
    outage.disconnected(millis(1'000 * second));
    CHECK_FALSE(outage.take_cut(millis(1'000 * second + 2'900)));
  }
}

TEST_CASE("what is told again during an outage does not prolong it") {
  nats_outage outage(millis(0));
  outage.connected();
  for (int second = 0; second < 5; ++second) outage.disconnected(millis(1'000 * second));
  CHECK(outage.cuts_off(millis(5'000)));
}

TEST_CASE("a gateway that has never had NATS is given the same time") {
  nats_outage outage(millis(7'000));
  CHECK_FALSE(outage.cuts_off(millis(11'999)));
  CHECK(outage.cuts_off(millis(12'000)));
}
