#include <doctest/doctest.h>

#include "services/agent-bridge/core/ack_pacer.hpp"
#include "services/agent-bridge/core/agent_numbers.hpp"
#include "services/agent-bridge/core/bad_frame_meter.hpp"
#include "services/agent-bridge/core/credentials.hpp"
#include "services/agent-bridge/core/drain_pace.hpp"
#include "services/agent-bridge/core/epoch_gate.hpp"
#include "services/agent-bridge/core/nats_outage.hpp"
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

TEST_CASE("what a v2 agent may be called") {
  CHECK(agent_instance("one life") == "one life");
  CHECK(agent_instance(std::string("a\0b\x07", 4)) == "ab");
  CHECK(agent_instance(std::string(256, 'x')).has_value());
  CHECK_FALSE(agent_instance(std::string(257, 'x')).has_value());
  CHECK_FALSE(agent_instance("").has_value());
  CHECK_FALSE(agent_instance(std::string("\0\x01", 2)).has_value());
  CHECK_FALSE(agent_instance("\xff").has_value());
}

TEST_CASE("an agent's numbers go up by one; only the first of a socket may skip, and only upwards") {
  using verdict = agent_numbers::verdict;
  agent_numbers fresh(0);
  CHECK(fresh.read(1).what == verdict::take);
  CHECK(fresh.read(2).what == verdict::take);
  CHECK(fresh.read(2).what == verdict::repeat);
  CHECK(fresh.read(1).what == verdict::repeat);
  CHECK(fresh.read(3).what == verdict::take);
  CHECK(fresh.read(5).what == verdict::gap);

  agent_numbers resumed(7);
  const auto first = resumed.read(11);
  CHECK(first.what == verdict::take);
  CHECK(first.skipped == 3);
  CHECK(resumed.read(13).what == verdict::gap);

  agent_numbers eager(7);  // it says again what it was told is there
  CHECK(eager.read(6).what == verdict::repeat);
  CHECK(eager.read(7).what == verdict::repeat);
  CHECK(eager.read(9).what == verdict::gap);
  CHECK(eager.read(8).what == verdict::take);
}

TEST_CASE("a frame whose number cannot be told may have had the one that is missing") {
  using verdict = agent_numbers::verdict;
  agent_numbers numbers(0);
  numbers.read(1);
  numbers.unreadable();
  const auto next = numbers.read(3);
  CHECK(next.what == verdict::take);
  CHECK(next.skipped == 0);
  CHECK(numbers.read(5).what == verdict::gap);
  numbers.unreadable();
  CHECK(numbers.read(4).what == verdict::take);  // it had none
  CHECK(numbers.read(6).what == verdict::gap);

  agent_numbers first(0);
  first.unreadable();
  CHECK(first.read(4).skipped == 2);
}

TEST_CASE("acks: at once when it is quiet, one for many when it is not, one in the socket at most") {
  ack_pacer acks(4);
  ack_pacer::moment now{};
  CHECK_FALSE(acks.take(now));
  acks.owe(5);
  CHECK(acks.take(now) == 5);
  acks.owe(6);
  acks.owe(9);
  CHECK_FALSE(acks.take(now + std::chrono::seconds(9)));  // the socket has not taken the first
  acks.settled(true, now);
  CHECK_FALSE(acks.take(now + std::chrono::milliseconds(19)));
  CHECK(acks.next_wake() == now + ack_pacer::interval);
  CHECK(acks.take(now + ack_pacer::interval) == 9);
  CHECK_FALSE(acks.next_wake());

  now += std::chrono::seconds(1);
  acks.settled(false, now);  // no room: not lost, and not tried in a hot loop
  CHECK_FALSE(acks.take(now + std::chrono::milliseconds(999)));
  CHECK(acks.take(now + ack_pacer::congested) == 9);
  acks.settled(true, now);
  CHECK_FALSE(acks.take_last());
  acks.owe(10);
  CHECK(acks.take_last() == 10);
}

TEST_CASE("agents are told to go one after the other, within half of the time") {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  CHECK(leaves_after(0, 1, seconds(20)) == milliseconds(0));
  CHECK(leaves_after(9, 10, seconds(20)) == milliseconds(180));
  CHECK(leaves_after(300, 301, seconds(20)) == milliseconds(6'000));
  CHECK(leaves_after(5'000, 5'000, seconds(20)) <= seconds(10));
  CHECK(leaves_after(2'500, 5'000, seconds(20)) > seconds(4));
  CHECK(leaves_after(3, 4, -seconds(1)) == milliseconds(0));
  CHECK(leaves_after(0, 0, seconds(1)) == milliseconds(0));
}

TEST_CASE("a bridge without NATS turns new agents away, then sends numbered ones elsewhere, at last all") {
  using std::chrono::seconds;
  using leaving = nats_outage::leaving;
  const nats_outage::moment start{};
  nats_outage outage(start);
  CHECK(outage.lasts());
  CHECK_FALSE(outage.refuses(start + seconds(1)));
  CHECK(outage.refuses(start + seconds(2)));
  outage.connected();
  CHECK_FALSE(outage.lasts());
  CHECK_FALSE(outage.refuses(start + seconds(100)));
  CHECK(outage.who_leaves(start + seconds(100)) == leaving::nobody);
  outage.disconnected(start + seconds(100));
  outage.disconnected(start + seconds(105));  // an outage begins once
  CHECK(outage.who_leaves(start + seconds(109)) == leaving::nobody);
  CHECK(outage.who_leaves(start + seconds(110)) == leaving::numbered);
  CHECK(outage.who_leaves(start + seconds(219)) == leaving::numbered);
  CHECK(outage.who_leaves(start + seconds(220)) == leaving::all);
  CHECK(nats_outage::at_once(3) >= 3);
  CHECK(nats_outage::at_once(5'000) * 16 >= 5'000);
  CHECK(nats_outage::at_once(5'000) <= 320);
}

TEST_CASE("where nobody serves a shard it is asked soon again; an attempt at one that is silent is short") {
  using std::chrono::milliseconds;
  for (unsigned failures = 1; failures < 20; ++failures) {
    CHECK(retry_delay(send_failure::no_responders, failures, 1'000'003) <= milliseconds(400));
  }
  CHECK(retry_delay(send_failure::no_responders, 40, 500) == milliseconds(1'000));
  CHECK(retry_delay(send_failure::unusable, 19, 500) == milliseconds(1'000));
  CHECK(attempt_time(0) == milliseconds(1'000));
  CHECK(attempt_time(7) == milliseconds(1'500));
}
