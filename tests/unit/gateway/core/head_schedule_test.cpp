#include "services/gateway/core/head_schedule.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::gateway;

namespace {

// Shards by the last two characters: ..00 is 0, ..01 is 1.
session_id in_shard(char number, char which) {
  return session_id(std::string("ses_01jb2c3d4e5f6g7h8jkmnpq") + which + '0' + number);
}

bool has(const std::vector<std::vector<session_id>>& batches, const session_id& id) {
  return std::ranges::any_of(batches, [&](const auto& b) { return std::ranges::find(b, id) != b.end(); });
}

}  // namespace

TEST_CASE("a new subscription is checked after a second, then every five at the latest") {
  head_schedule schedule(7);
  const auto one = in_shard('0', 'a');
  schedule.add(one, millis(0));
  CHECK(schedule.due(millis(999)).empty());
  CHECK(has(schedule.due(millis(1'000)), one));
  CHECK(schedule.due(millis(1'001)).empty());
  millis last{1'000};
  unsigned checks = 0;
  for (millis now{1'050}; now <= millis(60'000); now += millis(50)) {
    if (!has(schedule.due(now), one)) continue;
    CHECK(now - last <= millis(5'050));
    last = now;
    ++checks;
  }
  CHECK(checks >= 11);
  CHECK(checks <= 16);
}

TEST_CASE("one batch per shard with all its sessions") {
  head_schedule schedule(7);
  for (const char which : {'a', 'b', 'c'}) {
    schedule.add(in_shard('0', which), millis(0));
    schedule.add(in_shard('1', which), millis(0));
  }
  schedule.check_all(millis(10));
  const auto batches = schedule.due(millis(10));
  REQUIRE(batches.size() == 2);
  CHECK(batches[0].size() == 3);
  CHECK(batches[1].size() == 3);
}

TEST_CASE("a check on demand is at once, and a removed session is not asked about") {
  head_schedule schedule(7);
  const auto one = in_shard('0', 'a');
  schedule.add(one, millis(0));
  (void)schedule.due(millis(1'000));
  schedule.check_now(one, millis(1'100));
  CHECK(has(schedule.due(millis(1'100)), one));
  schedule.remove(one);
  schedule.check_now(one, millis(1'200));
  schedule.check_all(millis(1'200));
  CHECK(schedule.due(millis(60'000)).empty());
}

TEST_CASE("a batch is bounded") {
  head_schedule schedule(7);
  id_source ids(1);
  for (std::size_t i = 0; i < head_schedule::batch_max + 1; ++i) {
    schedule.add(session_id(make_id_with_tail("ses_", i, ids, "00")), millis(0));
  }
  schedule.check_all(millis(5));
  CHECK(schedule.due(millis(5)).size() == 2);
}
