#include <algorithm>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "services/gateway/core/watch.hpp"
#include "tests/unit/gateway/core/watch_rig.hpp"

using namespace throughline;
using namespace throughline::gateway;
using frames = std::vector<std::string>;

namespace {

struct rig : gateway::test::rig {
  /// Admitted viewers that come back from these positions, one after the other, while the first is read for.
  std::vector<viewer_key> come_back(const std::vector<position>& since) {
    std::vector<viewer_key> all;
    for (std::size_t i = 0; i < since.size(); ++i) all.push_back(knock("ana", wire_version::v2));
    if (snapshots_open > 0) answer_snapshot();
    watch_effects out;
    for (std::size_t i = 0; i < since.size(); ++i) {
      viewers[all[i]].opened_at = told;
      viewers[all[i]].at = since[i];
      core.open(all[i], since[i], now, out);
    }
    perform(out);
    return all;
  }
  /// Answers all that is asked; gives the number of reads for those that resume.
  unsigned settle() {
    while (resume || snapshots_open > 0) {
      if (resume) {
        answer_resume();
      } else {
        answer_snapshot();
      }
    }
    return resumes_asked;
  }
  std::size_t given_state(const std::vector<viewer_key>& which) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        which, [&](viewer_key who) { return viewers.at(who).frames == frames{"state " + to_text(head)}; }));
  }
};

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
  r.settle();
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

TEST_CASE("many that are too far behind, each from a place of its own, cost a handful of reads") {
  rig r;
  r.resume_most = 200;
  for (int i = 0; i < 1'500; ++i) r.commit();
  std::vector<position> since;
  for (std::uint64_t i = 0; i < 1'000; ++i) since.push_back({1, 1 + (i * 617) % 1'000});
  const auto all = r.come_back(since);
  CHECK(r.settle() <= 11);
  CHECK(r.given_state(all) == 1'000);
  CHECK(r.snapshots_asked <= 2);
}

TEST_CASE("beside those that are too far behind, everyone that is not is resumed") {
  rig r;
  r.resume_most = 200;
  for (int i = 0; i < 1'097; ++i) r.commit();
  std::vector<position> since;
  for (std::uint64_t seq = 101; seq <= 1'100; ++seq) since.push_back({1, seq});
  const auto all = r.come_back(since);
  CHECK(r.settle() <= 12);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& got = r.viewers[all[i]].frames;
    if (since[i].seq < 900) {
      CHECK(got == frames{"state 1:1100"});
    } else {
      CHECK(got.size() == 1'101 - since[i].seq);
      CHECK(got.back() == "complete 1:1100");
    }
  }
}

TEST_CASE("many that are ahead cost one read, and one that has joined meanwhile is asked for by itself") {
  rig r;
  std::vector<position> since;
  for (std::uint64_t seq = 50; seq < 150; ++seq) since.push_back({1, seq});
  const auto all = r.come_back(since);
  const auto late = r.knock("ana", wire_version::v2);
  r.answer_resume();  // of the first, before the others had come
  const auto answer = r.missed_now();
  while (r.head.seq < 60) r.commit();
  r.open(late, position{1, 58});
  r.answer_resume(answer);
  REQUIRE(r.resume);
  CHECK(r.resume->since == position{1, 58});
  r.answer_resume();
  CHECK(r.viewers[late].frames.size() == 3);
  CHECK(r.viewers[late].frames.back() == "complete 1:60");
  CHECK(r.settle() == 3);
  CHECK(r.given_state(all) == 100);  // read anew: what is held here is older than what they say they have seen
}

TEST_CASE("many places that a failover has lost cost two reads, and hold back nobody") {
  rig r;
  for (int i = 0; i < 2; ++i) r.commit();
  r.head.epoch = 2;
  for (int i = 0; i < 45; ++i) r.commit();
  r.head.epoch = 3;
  for (int i = 0; i < 3; ++i) r.commit();
  std::vector<position> since;
  for (std::uint64_t seq = 10; seq < 110; ++seq) since.push_back({1, seq});
  since.push_back({2, 40});
  since.push_back({3, 52});
  const auto all = r.come_back(since);
  CHECK(r.settle() <= 4);
  CHECK(r.given_state(all) == 100);
  CHECK(r.viewers[all[100]].frames.back() == "complete 3:53");
  CHECK(r.viewers[all[100]].frames.front() == "2:41");
  CHECK(r.viewers[all[101]].frames == frames{"3:53", "complete 3:53"});
}

TEST_CASE("a read that nobody answers is not repeated for each place") {
  rig r;
  std::vector<position> since;
  for (std::uint64_t seq = 1; seq <= 3; ++seq) since.push_back({1, seq});
  const auto all = r.come_back(since);
  r.answer_resume(std::nullopt);  // of the first, before the others had come
  r.answer_resume(std::nullopt);
  CHECK(r.settle() == 2);
  CHECK(r.given_state(all) == 3);
}

TEST_CASE("an epoch to come, and more events than are given, need no read") {
  rig r;
  while (r.head.seq < watch::resume_events_max + 10) r.commit();
  const auto all = r.come_back({{2, 3}, {1, 9}, {1, ~std::uint64_t{0}}});
  CHECK(r.settle() == 0);
  CHECK(r.given_state(all) == 3);
  const auto last = r.come_back({{1, 10}});
  CHECK(r.settle() == 1);
  CHECK(r.viewers[last[0]].frames.front() == "1:11");
}

TEST_CASE("one that has seen a later epoch elsewhere is not given what is held here") {
  rig r;
  const auto here = r.join();
  r.head.epoch = 2;
  r.commit();
  const auto who = r.come_back({{2, 4}});
  REQUIRE(r.snapshots_open == 1);
  r.viewers[here].at = {};
  CHECK(r.settle() == 0);
  CHECK(r.viewers[who[0]].frames.front() == "state 2:4");
  CHECK(r.viewers[here].frames.back() == "base 2:4");
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

TEST_CASE("a client that asks for full states in a loop gets one per second, and the others their events") {
  rig r;
  const auto a = r.join(wire_version::v2);
  const auto b = r.join(wire_version::v2);
  const auto before = r.snapshots_asked;
  const auto again = [&] {
    watch_effects out;
    r.core.resync(a, r.now, out);
    r.perform(out);
    while (r.snapshots_open > 0) r.answer_snapshot();
  };
  for (int i = 0; i < 50; ++i) {
    again();
    if (i % 10 == 0) r.commit_and_deliver();
    r.pass(millis(20));
    while (r.snapshots_open > 0) r.answer_snapshot();
  }
  CHECK(r.snapshots_asked - before == 2);
  CHECK(r.viewers[b].at == r.head);
  r.pass(watch::laggard_gap);
  while (r.snapshots_open > 0) r.answer_snapshot();
  CHECK(r.viewers[a].at == r.head);
  CHECK_FALSE(r.core.next_deadline());
  r.commit_and_deliver();
  CHECK(r.viewers[a].frames.back() == to_text(r.head));
  CHECK(r.snapshots_asked - before <= 3);
}

TEST_CASE("a resync waits no longer than for the next full state that laggards share") {
  rig r;
  const auto a = r.join(wire_version::v2);
  watch_effects out;
  r.core.resync(a, r.now, out);
  r.perform(out);
  r.answer_snapshot();
  watch_effects second;
  r.core.resync(a, r.now, second);
  r.perform(second);
  CHECK(r.snapshots_open == 0);
  REQUIRE(r.core.next_deadline());
  CHECK(*r.core.next_deadline() == r.now + watch::laggard_gap);
  r.commit_and_deliver();
  CHECK(r.viewers[a].frames == frames{"state 1:3", "state 1:3"});
  r.pass(watch::laggard_gap);
  r.answer_snapshot();
  CHECK(r.viewers[a].frames.back() == "state 1:4");
}
