#include "common/replay/splice.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::replay;

namespace {

live_event at(std::uint64_t epoch, std::uint64_t seq) {
  live_event e;
  e.at = {epoch, seq};
  e.body = std::make_shared<std::string>(std::to_string(seq));
  return e;
}
live_event at(std::uint64_t seq) {
  return at(1, seq);
}

std::vector<std::uint64_t> seqs(const step& s) {
  std::vector<std::uint64_t> out;
  for (const auto& e : s.forward) out.push_back(e.at.seq);
  return out;
}
using list = std::vector<std::uint64_t>;

bool is_nothing(const step& s) {
  return !s.reset && !s.want_snapshot && s.forward.empty() && !s.fetch && !s.look_again && !s.stale;
}

splice live_at(std::uint64_t seq, bounds limits = {}) {
  splice s(limits);
  (void)s.snapshot({1, seq});
  return s;
}

}  // namespace

TEST_CASE("events that come before the snapshot wait for it") {
  splice s;
  CHECK(is_nothing(s.event(at(4))));
  CHECK(is_nothing(s.event(at(6))));
  CHECK(is_nothing(s.event(at(5))));
  CHECK(s.buffered() == 3);
  const auto out = s.snapshot({1, 4});
  CHECK(seqs(out) == list{5, 6});
  CHECK_FALSE(out.fetch);
  CHECK(s.held() == position{1, 6});
  CHECK(s.buffered() == 0);
  CHECK(s.status() == splice_status::live);
}

TEST_CASE("a live event is forwarded once and in order") {
  auto s = live_at(4);
  CHECK(seqs(s.event(at(5))) == list{5});
  CHECK(is_nothing(s.event(at(5))));
  CHECK(is_nothing(s.event(at(2))));
  CHECK(s.buffered() == 0);
  CHECK(seqs(s.event(at(6))) == list{6});
}

TEST_CASE("a hole is fetched, once, and what is behind it follows") {
  auto s = live_at(4);
  const auto out = s.event(at(8));
  CHECK(out.forward.empty());
  CHECK(out.fetch == hole{{1, 4}, 7});
  CHECK(s.status() == splice_status::fetching);
  CHECK(is_nothing(s.event(at(9))));
  CHECK(seqs(s.range({at(5), at(6), at(7)}, true)) == list{5, 6, 7, 8, 9});
  CHECK(s.status() == splice_status::live);
  CHECK(s.buffered() == 0);
}

TEST_CASE("a hole filled by late events needs no range") {
  auto s = live_at(4);
  CHECK(s.event(at(6)).fetch == hole{{1, 4}, 5});
  CHECK(seqs(s.event(at(5))) == list{5, 6});
  CHECK(is_nothing(s.range({at(5)}, true)));
  CHECK(s.status() == splice_status::live);
}

TEST_CASE("a range that reaches less far is continued; one that brings nothing waits") {
  auto s = live_at(4);
  CHECK(s.event(at(10)).fetch == hole{{1, 4}, 9});
  auto out = s.range({at(5), at(6)}, true);
  CHECK(seqs(out) == list{5, 6});
  CHECK(out.fetch == hole{{1, 6}, 9});
  out = s.range_failed();
  CHECK_FALSE(out.fetch);
  CHECK(out.look_again == position{1, 10});
  CHECK(s.head_again({1, 10}).fetch == hole{{1, 6}, 9});
  CHECK(seqs(s.range({at(7), at(8), at(9), at(10)}, true)) == list{7, 8, 9, 10});
}

TEST_CASE("a range with a hole in it is taken up to the hole") {
  auto s = live_at(4);
  (void)s.event(at(9));
  const auto out = s.range({at(5), at(7), at(8)}, true);
  CHECK(seqs(out) == list{5});
  CHECK(out.fetch == hole{{1, 5}, 8});
}

TEST_CASE("a position that is not known any more resets") {
  auto s = live_at(4);
  (void)s.event(at(9));
  const auto out = s.range({}, false);
  CHECK(out.reset);
  CHECK(out.want_snapshot);
  CHECK(s.status() == splice_status::awaiting_snapshot);
  CHECK(seqs(s.snapshot({1, 9})) == list{});
  CHECK(s.held() == position{1, 9});
}

TEST_CASE("a higher epoch resets, a lower one is ignored") {
  auto s = live_at(4);
  CHECK(s.event(at(2, 5)).reset);
  CHECK(is_nothing(s.event(at(1, 5))));
  const auto old = s.snapshot({1, 5});
  CHECK(old.stale);
  CHECK(old.want_snapshot);
  (void)s.event(at(2, 6));
  CHECK(seqs(s.snapshot({2, 5})) == list{6});
  CHECK(s.held() == position{2, 6});
  CHECK(is_nothing(s.head({1, 4}, {1, 40})));
  CHECK(s.head({2, 6}, {3, 6}).reset);
}

TEST_CASE("a joining viewer's snapshot changes nothing unless it is newer") {
  auto s = live_at(4);
  CHECK(is_nothing(s.snapshot({1, 4})));
  CHECK(is_nothing(s.snapshot({1, 3})));
  CHECK(s.snapshot({1, 6}).look_again == position{1, 6});
  CHECK(s.held() == position{1, 4});
  CHECK(s.snapshot({2, 4}).reset);
  CHECK(s.snapshot({1, 9}).stale);
}

TEST_CASE("a head check finds a lost last event, and gives it time to arrive") {
  auto s = live_at(4);
  CHECK(is_nothing(s.head({1, 4}, {1, 4})));
  CHECK(s.head({1, 4}, {1, 5}).look_again == position{1, 5});
  SUBCASE("it arrives") {
    CHECK(seqs(s.event(at(5))) == list{5});
    CHECK(is_nothing(s.head_again({1, 5})));
  }
  SUBCASE("it does not") {
    CHECK(s.head_again({1, 5}).fetch == hole{{1, 4}, 5});
    CHECK(seqs(s.range({at(5)}, true)) == list{5});
  }
}

TEST_CASE("behind is judged against what was held when the question left") {
  auto s = live_at(4);
  (void)s.event(at(5));
  CHECK(is_nothing(s.head({1, 4}, {1, 4})));
  CHECK(s.head({1, 5}, {1, 4}).reset);
  (void)s.snapshot({1, 4});
  CHECK(is_nothing(s.head({1, 5}, {1, 4})));
}

TEST_CASE("a full buffer is dropped") {
  SUBCASE("while a snapshot is awaited, what was dropped is fetched behind it") {
    splice s({.count = 3, .bytes = 1000});
    for (std::uint64_t seq = 5; seq <= 8; ++seq) CHECK(is_nothing(s.event(at(seq))));
    CHECK(s.buffered() == 0);
    CHECK(s.snapshot({1, 6}).fetch == hole{{1, 6}, 8});
  }
  SUBCASE("behind a hole, everybody starts over") {
    auto s = live_at(4, {.count = 3, .bytes = 1000});
    for (std::uint64_t seq = 6; seq <= 8; ++seq) CHECK_FALSE(s.event(at(seq)).reset);
    CHECK(s.event(at(9)).reset);
    CHECK(s.buffered() == 0);
  }
  SUBCASE("by bytes too") {
    auto s = live_at(4, {.count = 100, .bytes = 3});
    for (std::uint64_t seq = 6; seq <= 8; ++seq) CHECK_FALSE(s.event(at(seq)).reset);
    CHECK(s.event(at(9)).reset);
  }
}

TEST_CASE("a failed snapshot is asked for again only while one is awaited") {
  splice s;
  CHECK(s.snapshot_failed().want_snapshot);
  (void)s.snapshot({1, 1});
  CHECK(is_nothing(s.snapshot_failed()));
}
