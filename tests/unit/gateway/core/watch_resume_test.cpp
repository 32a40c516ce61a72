#include <doctest/doctest.h>

#include "services/gateway/core/watch.hpp"
#include "tests/unit/gateway/core/watch_rig.hpp"

using namespace throughline;
using namespace throughline::gateway;
using frames = std::vector<std::string>;

namespace {

struct rig : gateway::test::rig {};

}  // namespace

TEST_CASE("a v2 viewer that says where it stopped gets exactly what came after") {
  rig r;
  for (int i = 0; i < 4; ++i) r.commit();
  const auto a = r.knock("ana", wire_version::v2);
  const auto b = r.knock("ana", wire_version::v2);
  r.answer_snapshot();
  r.open(a, position{1, 4});
  r.open(b, position{1, 6});
  r.commit_and_deliver();
  r.answer_resume();  // from the lower position, for both
  CHECK_FALSE(r.resume);
  CHECK(r.viewers[a].frames == frames{"1:5", "1:6", "1:7", "1:8", "complete 1:8"});
  CHECK(r.viewers[b].frames == frames{"1:7", "1:8", "complete 1:8"});
  r.commit_and_deliver();
  CHECK(r.viewers[b].frames.back() == "1:9");
}

TEST_CASE("one that joins during a read and stopped before its start is read for next") {
  rig r;
  for (int i = 0; i < 4; ++i) r.commit();
  const auto high = r.knock("ana", wire_version::v2);
  const auto low = r.knock("ana", wire_version::v2);
  const auto between = r.knock("ana", wire_version::v2);
  r.answer_snapshot();
  r.open(high, position{1, 5});
  REQUIRE(r.resume);
  CHECK(r.resume->since == position{1, 5});
  r.open(low, position{1, 3});
  r.open(between, position{1, 6});
  r.answer_resume();
  CHECK(r.viewers[high].frames == frames{"1:6", "1:7", "complete 1:7"});
  CHECK(r.viewers[between].frames == frames{"1:7", "complete 1:7"});
  CHECK(r.viewers[low].frames.empty());
  REQUIRE(r.resume);
  CHECK(r.resume->since == position{1, 3});
  r.commit_and_deliver();
  r.answer_resume();
  CHECK_FALSE(r.resume);
  CHECK(r.viewers[low].frames == frames{"1:4", "1:5", "1:6", "1:7", "1:8", "complete 1:8"});
  CHECK(r.viewers[high].frames.back() == "1:8");
  CHECK(r.snapshots_asked == 1);
}

TEST_CASE("a position that is not known, or ahead, gets the full state") {
  rig r;
  const auto a = r.knock("ana", wire_version::v2);
  const auto b = r.knock("ana", wire_version::v2);
  r.answer_snapshot();
  watch_effects out;
  r.core.open(a, position{7, 2}, r.now, out);
  r.core.open(b, position{1, 9}, r.now, out);
  r.perform(out);
  while (r.resume) r.answer_resume();
  CHECK(r.viewers[a].frames == frames{"state 1:3"});
  CHECK(r.viewers[b].frames == frames{"state 1:3"});
}

TEST_CASE("a position from before a failover is resumed when its event is still there") {
  rig r;
  r.head = {2, 3};
  r.commit();
  const auto a = r.knock("ana", wire_version::v2);
  r.answer_snapshot();
  r.open(a, position{1, 2});
  r.answer_resume();
  CHECK(r.viewers[a].frames == frames{"1:3", "2:4", "complete 2:4"});
}

TEST_CASE("a position whose event a failover replaced gets the full state, beside one that is resumed") {
  rig r;
  r.written[3] = 2;
  r.head = {2, 3};
  r.commit();
  const auto a = r.knock("ana", wire_version::v2);
  const auto b = r.knock("ana", wire_version::v2);
  r.answer_snapshot();
  r.open(a, position{1, 2});
  r.open(b, position{1, 3});
  r.answer_resume();
  CHECK(r.viewers[a].frames == frames{"2:3", "2:4", "complete 2:4"});
  CHECK(r.viewers[b].frames == frames{"state 2:4"});
}

TEST_CASE("what is published while the missed events are read follows them") {
  rig r;
  const auto a = r.knock("ana", wire_version::v2);
  r.answer_snapshot();
  r.open(a, position{1, 2});
  const auto missed = r.missed_now();
  r.commit_and_deliver();
  r.answer_resume(missed);
  r.commit_and_deliver();
  CHECK(r.viewers[a].frames == frames{"1:3", "1:4", "complete 1:4", "1:5"});
}

TEST_CASE("a database that is behind in the same epoch gives every viewer a new full state") {
  rig r;
  const auto a = r.join(wire_version::v2);
  r.commit_and_deliver();
  r.written.erase(4);
  r.head = {1, 3};
  r.check_head();
  r.viewers[a].at = {};
  r.answer_snapshot();
  r.commit_and_deliver();
  CHECK(r.viewers[a].frames == frames{"state 1:3", "1:4", "state 1:3", "1:4"});
}

TEST_CASE("since means nothing on v1") {
  rig r;
  const auto a = r.knock();
  r.answer_snapshot();
  watch_effects out;
  r.core.open(a, position{1, 1}, r.now, out);
  r.perform(out);
  CHECK(r.viewers[a].frames == frames{"state 1:3", "base 1:3"});
}

TEST_CASE("a heartbeat follows a head check that found nothing newer, and only then") {
  rig r;
  const auto a = r.join(wire_version::v2);
  const auto old = r.join(wire_version::v1);
  r.check_head();
  CHECK(r.viewers[a].heartbeats == 1);
  r.pass(watch::heartbeat_after);
  r.commit();
  r.check_head();  // ahead
  CHECK(r.viewers[a].heartbeats == 1);
  r.deliver(r.stored(4));
  r.check_head();
  CHECK(r.viewers[a].heartbeats == 2);
  r.check_head();
  CHECK(r.viewers[a].heartbeats == 2);
  CHECK(r.viewers[old].heartbeats == 0);
}

TEST_CASE("a resync is a full state, at the same position if nothing happened") {
  rig r;
  const auto a = r.join(wire_version::v2);
  watch_effects out;
  r.core.resync(a, r.now, out);
  r.perform(out);
  r.answer_snapshot();
  CHECK(r.viewers[a].frames == frames{"state 1:3", "state 1:3"});
}
