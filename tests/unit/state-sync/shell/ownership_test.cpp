// Shards on real advisory locks (design 3.5).

#include "services/state-sync/shell/ownership.hpp"

#include <doctest/doctest.h>

#include "services/state-sync/shell/store/shard_locks.hpp"
#include "tests/unit/state-sync/shell/store/database_fixture.hpp"

using namespace throughline;
using namespace throughline::state_sync;
using namespace throughline::testing;

namespace {

struct owner {
  explicit owner(const empty_database& on)
      : shards(on.database(),
               {[this](const auto& s) { taken += s.size(); }, [this](const auto& s) { lost += s.size(); },
                [this](bool is_up, const std::string&) { up = is_up; }}) {
    shards.start();
  }
  std::atomic<std::size_t> taken = 0;
  std::atomic<std::size_t> lost = 0;
  std::atomic<bool> up = false;
  ownership shards;
};

}  // namespace

TEST_CASE("one replica takes all shards, and serves them") {
  const empty_database database;
  owner one(database);
  REQUIRE(eventually([&] { return one.taken == shard_count; }));
  CHECK(eventually([&] { return one.up.load(); }));
  CHECK(one.shards.serving(0));
  CHECK(one.shards.serving(255));
}

TEST_CASE("a replica that drains gives everything up at once, and the spare takes it") {
  const empty_database database;
  owner one(database);
  REQUIRE(eventually([&] { return one.taken == shard_count; }));
  owner spare(database);
  CHECK(eventually([&] { return spare.up.load(); }));
  CHECK(spare.taken == 0);
  one.shards.stop();
  CHECK(one.lost == shard_count);
  CHECK_FALSE(one.shards.serving(7));
  CHECK(eventually([&] { return spare.taken == shard_count; }));
}

TEST_CASE("an owner whose lock connection is ended stops serving, and takes free shards again") {
  const empty_database database;
  owner one(database);
  REQUIRE(eventually([&] { return one.taken == shard_count; }));
  database.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' GROUP BY pid");
  REQUIRE(eventually([&] { return one.lost == shard_count; }));
  CHECK(eventually([&] { return one.taken == 2 * shard_count; }));
}

TEST_CASE("locks are taken where free, seen by their holder, and given back") {
  const empty_database database;
  const auto one = database.database().open(io::connection_role::lock);
  const auto two = database.database().open(io::connection_role::lock);
  REQUIRE(one);
  REQUIRE(two);
  CHECK(try_shards(**one, {1, 2, 3}).size() == 3);
  CHECK(try_shards(**two, {3, 4}) == std::vector<shard_number>{4});
  CHECK(held_shards(**one).size() == 3);
  release_shards(**one, {3});
  CHECK(held_shards(**one).size() == 2);
  CHECK(try_shards(**two, {3}) == std::vector<shard_number>{3});
}
