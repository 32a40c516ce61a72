#include "services/gateway/core/watch.hpp"

#include <doctest/doctest.h>

#include "tests/unit/gateway/core/watch_rig.hpp"

using namespace throughline;
using namespace throughline::gateway;
using frames = std::vector<std::string>;

namespace {

struct rig : gateway::test::rig {};

}  // namespace

TEST_CASE("a viewer gets the full state first, with the baseline, then every event") {
  rig r;
  const auto who = r.knock();
  CHECK_FALSE(r.viewers[who].admitted);
  r.answer_snapshot();
  CHECK(r.viewers[who].admitted);
  CHECK(r.viewers[who].frames.empty());
  r.open(who);
  r.commit_and_deliver();
  CHECK(r.viewers[who].frames == frames{"state 1:3", "base 1:3", "1:4"});
}

TEST_CASE("a v2 viewer gets no baseline") {
  rig r;
  const auto who = r.join(wire_version::v2);
  CHECK(r.viewers[who].frames == frames{"state 1:3"});
}

TEST_CASE("events published while the snapshot is read are neither lost nor repeated") {
  rig r;
  const auto who = r.knock();
  const auto early = r.reading();
  r.commit_and_deliver();
  r.commit_and_deliver();
  SUBCASE("the snapshot is from before them") {
    r.answer_snapshot(early);
  }
  SUBCASE("the snapshot has them") {
    r.answer_snapshot();
  }
  r.open(who);
  if (r.snapshots_open > 0) r.answer_snapshot();
  r.commit_and_deliver();
  CHECK(r.viewers[who].at == position{1, 6});
  CHECK(r.viewers[who].frames.front().starts_with("state"));
}

TEST_CASE("joiners share one read, and a state read a moment ago while it is what the watch holds") {
  rig r;
  const auto a = r.knock();
  const auto b = r.knock();
  r.answer_snapshot();
  r.open(a);
  r.open(b);
  r.join();
  CHECK(r.snapshots_asked == 1);
  r.commit_and_deliver();
  const auto c = r.join();
  CHECK(r.snapshots_asked == 2);
  CHECK(r.viewers[c].frames == frames{"state 1:4", "base 1:4"});
  r.join();
  CHECK(r.snapshots_asked == 2);
  r.now += watch::reuse_max + millis(1);
  r.join();
  CHECK(r.snapshots_asked == 3);
}

TEST_CASE("joiners for whom the read under way is too old share the next one") {
  rig r;
  const auto a = r.join();
  r.commit_and_deliver();
  const auto b = r.knock();
  const auto c = r.knock();
  r.open(b);
  REQUIRE(r.snapshots_open == 1);
  const auto early = r.reading();
  SUBCASE("an event came") {
    r.commit_and_deliver();
  }
  SUBCASE("an event came out of order: held is behind what was seen") {
    r.commit();
    r.commit_and_deliver();
  }
  SUBCASE("a head check told of it") {
    r.commit();
    r.check_head();
  }
  r.open(c);
  r.answer_snapshot(early);
  CHECK(r.viewers[b].frames.front() == "state 1:4");
  CHECK(r.viewers[c].frames.empty());
  REQUIRE(r.snapshots_open == 1);
  r.answer_snapshot();
  CHECK(r.viewers[c].frames == frames{"state " + to_text(r.head), "base " + to_text(r.head)});
  CHECK(r.snapshots_asked == 3);
  CHECK(r.viewers[a].frames.front() == "state 1:3");
}

TEST_CASE("a state read after what the others hold is followed from there for its viewer only") {
  rig r;
  const auto a = r.join();
  r.now += watch::reuse_max + millis(1);
  r.commit();  // committed, not published yet
  const auto late = r.stored(4);
  const auto b = r.join();
  CHECK(r.viewers[b].frames == frames{"state 1:4", "base 1:4"});
  r.deliver(late);
  r.commit_and_deliver();
  CHECK(r.viewers[a].frames == frames{"state 1:3", "base 1:3", "1:4", "1:5"});
  CHECK(r.viewers[b].frames == frames{"state 1:4", "base 1:4", "1:5"});
}

TEST_CASE("a hole is fetched once, and what came above it waits") {
  rig r;
  const auto who = r.join();
  r.commit();
  r.commit_and_deliver();
  r.commit_and_deliver();
  CHECK(r.ranges_asked == 1);
  CHECK(r.viewers[who].at == position{1, 3});
  r.answer_range();
  CHECK(r.viewers[who].at == position{1, 6});
  CHECK(r.ranges_asked == 1);
}

TEST_CASE("a lost last message is found by the head check, a quarter of a second after it") {
  rig r;
  const auto who = r.join();
  r.commit();
  r.check_head();
  CHECK_FALSE(r.range);
  r.pass(watch::look_again_after);
  REQUIRE(r.range);
  r.answer_range();
  CHECK(r.viewers[who].at == position{1, 4});
}

TEST_CASE("a head check that only overtook its event fetches nothing") {
  rig r;
  r.join();
  r.commit();
  r.check_head();
  r.deliver(r.stored(4));
  r.pass(watch::look_again_after);
  CHECK(r.ranges_asked == 0);
}

TEST_CASE("behind is judged against what was held when the question left") {
  rig r;
  const auto who = r.join();
  const auto asked = r.head_now();
  const auto held = r.core.held();
  r.commit_and_deliver();
  r.answer_head(held, asked, r.now);
  CHECK(r.snapshots_asked == 1);
  CHECK(r.viewers[who].at == position{1, 4});
}

TEST_CASE("a higher epoch gives every viewer a new full state") {
  rig r;
  const auto a = r.join();
  const auto b = r.join(wire_version::v2);
  r.head = {2, 2};  // a failover lost the third event
  r.written.erase(3);
  SUBCASE("seen by the head check") {
    r.check_head();
  }
  SUBCASE("seen by an event") {
    r.commit_and_deliver();
  }
  r.answer_snapshot();
  r.commit_and_deliver();
  CHECK(r.viewers[a].at == r.head);
  CHECK(r.viewers[b].at == r.head);
  CHECK(r.head.epoch == 2);
}

TEST_CASE("a snapshot of a lower epoch is not shown") {
  rig r;
  r.join();
  const auto old = r.reading();
  r.head = {2, 3};
  r.check_head();
  r.answer_snapshot(old);
  CHECK(r.snapshots_open == 0);
  r.pass(watch::retry_after);
  r.answer_snapshot();
  CHECK(r.viewers[0].at == position{2, 3});
}

TEST_CASE("a read that was not answered is repeated while somebody waits") {
  rig r;
  const auto who = r.knock();
  r.answer_snapshot(std::nullopt);
  CHECK(r.snapshots_open == 0);
  r.pass(watch::retry_after);
  r.answer_snapshot();
  CHECK(r.viewers[who].admitted);
}

TEST_CASE("what is not there and what is not visible is refused alike") {
  rig r;
  const auto stranger = r.knock("bob");
  r.answer_snapshot();
  CHECK(r.viewers[stranger].refused);
  CHECK(r.core.viewers() == 0);

  rig empty;
  empty.found = false;
  const auto who = empty.knock();
  empty.answer_snapshot();
  CHECK(empty.viewers[who].refused);
  CHECK(empty.core.gone());
}

TEST_CASE("a no counts only from a read that left after the knock") {
  rig r;
  r.knock();
  const auto before = r.reading();
  r.now += millis(10);
  const auto bob = r.knock("bob");
  r.access = {user_id("ana"), {{user_id("bob"), role::viewer}}, 2};
  r.answer_snapshot(before);
  CHECK_FALSE(r.viewers[bob].refused);
  r.answer_snapshot();
  CHECK(r.viewers[bob].admitted);
}

TEST_CASE("a revoked right closes its viewers and nobody else's, and an older list does not bring it back") {
  rig r;
  const access_list granted{user_id("ana"), {{user_id("bob"), role::viewer}}, 2};
  r.access = granted;
  const auto ana = r.knock();
  const auto bob = r.knock("bob");
  r.answer_snapshot();
  r.open(ana);
  r.open(bob);
  const access_list revoked{user_id("ana"), {}, 3};
  SUBCASE("by a notice") {
    watch_effects out;
    r.core.access_changed(1, revoked, out);
    r.perform(out);
  }
  SUBCASE("by the head check") {
    r.access = revoked;
    r.check_head();
  }
  CHECK(r.viewers[bob].closed);
  CHECK_FALSE(r.viewers[ana].closed);
  watch_effects out;
  r.core.access_changed(1, granted, out);
  r.perform(out);
  const auto again = r.knock("bob");
  CHECK_FALSE(r.viewers[again].admitted);
}

TEST_CASE("deleting the session closes all, and refuses whoever comes then") {
  rig r;
  const auto a = r.join();
  const auto b = r.knock();
  watch_effects out;
  SUBCASE("by a notice") {
    r.core.deleted(out);
    r.perform(out);
  }
  SUBCASE("by the head check") {
    r.found = false;
    r.check_head();
  }
  CHECK(r.viewers[a].closed);
  r.open(b);  // was admitted before
  CHECK(r.viewers[b].closed);
  const auto c = r.knock();
  CHECK(r.viewers[c].refused);
  CHECK(r.core.viewers() == 0);
}

TEST_CASE("a slow viewer gets what it missed when that is little") {
  rig r;
  const auto slow = r.join();
  const auto quick = r.join();
  r.viewers[slow].full = true;
  for (int i = 0; i < 5; ++i) r.commit_and_deliver();
  CHECK(r.viewers[slow].at == position{1, 3});
  CHECK(r.viewers[quick].at == position{1, 8});
  r.writable(slow);
  CHECK(r.viewers[slow].at == position{1, 8});
  CHECK(r.snapshots_asked == 1);
}

TEST_CASE("laggards share one full state, at most one per second") {
  rig r;
  const auto a = r.join();
  const auto b = r.join();
  const auto lag = [&](viewer_key who) {
    r.viewers[who].full = true;
    for (std::uint64_t i = 0; i <= watch::tail_events_max; ++i) r.commit_and_deliver();
  };
  lag(a);
  r.writable(a);
  REQUIRE(r.snapshots_open == 1);
  r.answer_snapshot();
  CHECK(r.viewers[a].at == r.head);
  r.now += millis(10);
  lag(a);
  lag(b);
  r.writable(a);
  r.writable(b);
  CHECK(r.snapshots_open == 0);
  r.pass(watch::laggard_gap);
  REQUIRE(r.snapshots_open == 1);
  r.answer_snapshot();
  CHECK(r.viewers[a].at == r.head);
  CHECK(r.viewers[b].at == r.head);
  CHECK(r.snapshots_asked == 3);
}

TEST_CASE("a place is used again, and says nothing of who had it before") {
  rig r;
  const auto a = r.join();
  r.core.leave(a);
  CHECK(r.core.viewers() == 0);
  const auto b = r.join();
  CHECK(a == b);
  CHECK(r.viewers[b].frames == frames{"state 1:3", "base 1:3"});
}
