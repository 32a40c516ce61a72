// The advisory locks of replicas and shards, and how changes are told (design 3.5).

#include "services/state-sync/shell/store/shard_locks.hpp"

#include <doctest/doctest.h>

#include "services/state-sync/shell/wake_signal.hpp"
#include "tests/unit/state-sync/shell/store/database_fixture.hpp"

using namespace throughline;
using namespace throughline::state_sync;
using namespace throughline::testing;

TEST_CASE("locks are taken where free, seen by everybody, and given back") {
  const empty_database database;
  const auto one = database.database().open(io::connection_role::lock);
  const auto two = database.database().open(io::connection_role::lock);
  REQUIRE(one);
  REQUIRE(two);
  CHECK(try_shards(**one, {1, 2, 3}).size() == 3);
  CHECK(try_shards(**two, {3, 4}) == std::vector<shard_number>{4});
  CHECK(join(**one, 77));
  CHECK_FALSE(join(**two, 77));
  auto seen = look_at_locks(**two);
  CHECK(seen.members == std::vector<member_number>{77});
  CHECK(seen.holders[3] == holder::other);
  CHECK(seen.holders[4] == holder::self);
  CHECK(seen.holders[5] == holder::nobody);
  release_shards(**one, {3});
  leave(**one, 77);
  seen = look_at_locks(**two);
  CHECK(seen.members.empty());
  CHECK(seen.holders[3] == holder::nobody);
  CHECK(try_shards(**two, {3}) == std::vector<shard_number>{3});
}

TEST_CASE("a change that is told makes the sockets of those who listen readable") {
  const empty_database database;
  const auto one = database.database().open(io::connection_role::lock);
  const auto two = database.database().open(io::connection_role::lock);
  REQUIRE(one);
  REQUIRE(two);
  listen_for_changes(**one);
  wake_signal signal;
  CHECK_FALSE(signal.wait((*one)->sql().sock(), std::chrono::milliseconds(0)));
  tell_of_change(**two);
  CHECK(signal.wait((*one)->sql().sock(), std::chrono::seconds(5)));
  take_told(**one);
  CHECK_FALSE(signal.wait((*one)->sql().sock(), std::chrono::milliseconds(0)));
  end_backend(**two, backend_of(**one));
  CHECK(signal.wait((*one)->sql().sock(), std::chrono::seconds(5)));
  CHECK_THROWS(look_at_locks(**one));
}
