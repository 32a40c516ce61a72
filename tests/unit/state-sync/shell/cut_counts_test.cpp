#include "services/state-sync/shell/cut_counts.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::state_sync;
using namespace std::chrono_literals;

namespace {

const attachment_id one{"att_1"}, two{"att_2"};
const cut_counts::time_point start{1h};

}  // namespace

TEST_CASE("cuts are counted by attachment, until its frames are committed") {
  cut_counts counts;
  CHECK(counts.of(one, start) == 0);
  counts.add(one, start);
  counts.add(one, start + 1s);
  counts.add(two, start + 2s);
  CHECK(counts.of(one, start + 2s) == 2);
  counts.clear(one);
  CHECK(counts.of(one, start + 2s) == 0);
  CHECK(counts.of(two, start + 2s) == 1);
}

TEST_CASE("cuts with long between them have nothing to do with each other") {
  cut_counts counts;
  counts.add(one, start);
  CHECK(counts.of(one, start + cut_counts::remembered - 1ms) == 1);
  CHECK(counts.of(one, start + cut_counts::remembered) == 0);
  counts.add(one, start + cut_counts::remembered);
  CHECK(counts.of(one, start + cut_counts::remembered) == 1);
}

TEST_CASE("at the bound what was cut longest ago is forgotten") {
  cut_counts counts;
  for (std::size_t n = 0; n <= cut_counts::attachments_max; ++n) {
    counts.add(attachment_id("att_" + std::to_string(n)), start + n * 1ms);
  }
  const auto now = start + 10s;
  CHECK(counts.of(attachment_id("att_0"), now) == 0);
  CHECK(counts.of(attachment_id("att_1"), now) == 1);
  CHECK(counts.of(attachment_id("att_" + std::to_string(cut_counts::attachments_max)), now) == 1);
}
