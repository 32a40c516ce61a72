#include "services/state-sync/shell/cut_counts.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::state_sync;
using namespace std::chrono_literals;

namespace {

const attachment_id one{"att_1"}, two{"att_2"};
const cut_counts::time_point start{1h};

unsigned cuts(const cut_counts& counts, const attachment_id& of, cut_counts::time_point now) {
  const auto found = counts.of(of, now);
  return found ? found->cuts : 0;
}

}  // namespace

TEST_CASE("cuts are counted by attachment and frame, until it is committed") {
  cut_counts counts;
  CHECK_FALSE(counts.of(one, start));
  counts.add(one, 5, start);
  counts.add(one, 5, start + 1s);
  counts.add(two, 9, start + 2s);
  CHECK(cuts(counts, one, start + 2s) == 2);
  CHECK(counts.of(one, start + 2s)->number == 5);
  counts.clear(one);
  CHECK_FALSE(counts.of(one, start + 2s));
  CHECK(cuts(counts, two, start + 2s) == 1);
}

TEST_CASE("a frame does not answer for the cuts of the one before, which may have been stored") {
  cut_counts counts;
  for (std::uint64_t number = 5; number < 12; ++number) {
    counts.add(one, number, start);
    CHECK(cuts(counts, one, start) == 1);
    CHECK(counts.of(one, start)->number == number);
  }
}

TEST_CASE("a frame behind something else is watched, and counts from its own first cut on") {
  cut_counts counts;
  counts.watch(one, 5, start);
  REQUIRE(counts.of(one, start));
  CHECK(cuts(counts, one, start) == 0);
  counts.add(one, 5, start);
  counts.watch(one, 5, start);
  CHECK(cuts(counts, one, start) == 1);
}

TEST_CASE("cuts with long between them have nothing to do with each other") {
  cut_counts counts;
  counts.add(one, 5, start);
  CHECK(cuts(counts, one, start + cut_counts::remembered - 1ms) == 1);
  CHECK_FALSE(counts.of(one, start + cut_counts::remembered));
  counts.add(one, 5, start + cut_counts::remembered);
  CHECK(cuts(counts, one, start + cut_counts::remembered) == 1);
}

TEST_CASE("at the bound what was cut longest ago is forgotten") {
  cut_counts counts;
  for (std::size_t n = 0; n <= cut_counts::attachments_max; ++n) {
    counts.add(attachment_id("att_" + std::to_string(n)), 1, start + n * 1ms);
  }
  const auto now = start + 10s;
  CHECK_FALSE(counts.of(attachment_id("att_0"), now));
  CHECK(cuts(counts, attachment_id("att_1"), now) == 1);
  CHECK(cuts(counts, attachment_id("att_" + std::to_string(cut_counts::attachments_max)), now) == 1);
}
