// Shards on real advisory locks (design 3.5).

#include "services/state-sync/shell/ownership.hpp"

#include <algorithm>
#include <array>
#include <mutex>

#include <doctest/doctest.h>

#include "services/state-sync/shell/store/locks.hpp"
#include "services/state-sync/shell/store/shard_locks.hpp"
#include "tests/unit/state-sync/shell/store/database_fixture.hpp"

using namespace throughline;
using namespace throughline::state_sync;
using namespace throughline::testing;
using clock_type = std::chrono::steady_clock;

namespace {

/// Which replica serves which shard: never two at once as long as nobody loses a connection.
class service_table {
 public:
  void take(const void* who, const std::vector<shard_number>& shards) {
    const std::lock_guard hold(guard_);
    for (const auto shard : shards) {
      twice_ = twice_ || (by_[shard] != nullptr && by_[shard] != who);
      by_[shard] = who;
    }
  }
  void end(const void* who, const std::vector<shard_number>& shards) {
    const std::lock_guard hold(guard_);
    for (const auto shard : shards) {
      if (by_[shard] == who) by_[shard] = nullptr;
    }
  }
  std::size_t served_by(const void* who) const {
    const std::lock_guard hold(guard_);
    return static_cast<std::size_t>(std::ranges::count(by_, who));
  }
  bool twice() const {
    const std::lock_guard hold(guard_);
    return twice_;
  }

 private:
  mutable std::mutex guard_;
  std::array<const void*, shard_count> by_{};
  bool twice_ = false;
};

struct replica {
  explicit replica(const empty_database& on, service_table& all) : table(all), shards(on.database(), told()) {
    shards.start();
  }
  ownership::callbacks told() {
    return {[this](const auto& s) { table.take(this, s); },
            [this](const auto& s) {
              left += s.size();
              for (const auto shard : s) still_held = still_held && shards.of(shard) != standing::stranger;
              table.end(this, s);
            },
            [this](const auto& s) {
              lost += s.size();
              table.end(this, s);
            },
            [this](bool is_up, const std::string&) { up = is_up; }};
  }
  std::size_t serves() const { return table.served_by(this); }
  bool serves_all() const { return serves() == shard_count; }

  service_table& table;
  std::atomic<std::size_t> left = 0;
  std::atomic<std::size_t> lost = 0;
  std::atomic<bool> up = false;
  std::atomic<bool> still_held = true;  ///< while it was told that it leaves
  ownership shards;
};

/// Backends that hold a shard.
std::string owners_sql(const std::string& what) {
  return "SELECT " + what +
         " FROM pg_locks WHERE locktype = 'advisory' AND classid = " + std::to_string(lock_key::shards) +
         " GROUP BY pid";
}

}  // namespace

TEST_CASE("one replica takes all shards, and owns them") {
  const empty_database database;
  service_table table;
  replica one(database, table);
  REQUIRE(eventually([&] { return one.serves_all(); }));
  CHECK(one.up);
  CHECK(one.shards.of(0) == standing::owner);
  CHECK(one.shards.of(255) == standing::owner);
}

TEST_CASE("one that joins gets its share, and each shard is left before it is taken") {
  const empty_database database;
  service_table table;
  replica one(database, table);
  REQUIRE(eventually([&] { return one.serves_all(); }));
  replica two(database, table);
  REQUIRE(eventually([&] { return two.serves() == shard_count / 2; }));
  replica three(database, table);
  REQUIRE(eventually([&] { return three.serves() >= shard_count / 3; }));
  CHECK(eventually([&] { return one.serves() + two.serves() + three.serves() == shard_count; }));
  CHECK(one.still_held);
  CHECK_FALSE(table.twice());
  CHECK(one.lost + two.lost + three.lost == 0);
}

TEST_CASE("a replica that drains gives everything up at once, and the spare has it in well under a round") {
  const empty_database database;
  service_table table;
  replica one(database, table);
  REQUIRE(eventually([&] { return one.serves_all(); }));
  replica spare(database, table);
  REQUIRE(eventually([&] { return spare.serves() == shard_count / 2; }));
  const auto began = clock_type::now();
  one.shards.stop();
  CHECK(one.serves() == 0);
  CHECK(one.shards.of(7) == standing::stranger);
  REQUIRE(eventually([&] { return spare.serves_all(); }));
  // The round is 500 ms: it was told.
  CHECK(clock_type::now() - began < std::chrono::milliseconds(450));
  CHECK(one.lost == 0);
  CHECK_FALSE(table.twice());
}

TEST_CASE("an owner whose lock connection is ended knows at once that it owns nothing, and joins again") {
  const empty_database database;
  service_table table;
  replica one(database, table);
  REQUIRE(eventually([&] { return one.serves_all(); }));
  database.sql(owners_sql("pg_terminate_backend(pid)"));
  REQUIRE(eventually([&] { return one.lost == shard_count; }));
  CHECK(eventually([&] { return one.serves_all(); }));
  CHECK(one.left == 0);
}

TEST_CASE("what an owner loses is taken by the others") {
  const empty_database database;
  service_table table;
  replica one(database, table);
  REQUIRE(eventually([&] { return one.serves_all(); }));
  replica two(database, table);
  REQUIRE(eventually([&] { return two.serves() == shard_count / 2; }));
  one.shards.hears(false);  // it will not take them again
  REQUIRE(eventually([&] { return two.serves_all(); }));
  CHECK(one.left == shard_count);
  one.shards.hears(true);
  CHECK(eventually([&] { return one.serves() == shard_count / 2; }));
  CHECK_FALSE(table.twice());
}

TEST_CASE("deaf replicas keep what they have as long as nobody else can hear") {
  const empty_database database;
  service_table table;
  replica one(database, table);
  REQUIRE(eventually([&] { return one.serves_all(); }));
  one.shards.hears(false);
  const auto members = [&] {
    return database.sql("SELECT 1 FROM pg_locks WHERE classid = " + std::to_string(lock_key::members)).size();
  };
  REQUIRE(eventually([&] { return members() == 0; }));
  replica deaf(database, table);
  deaf.shards.hears(false);
  REQUIRE(eventually([&] { return deaf.up.load(); }));
  REQUIRE(eventually([&] { return members() == 0; }));
  CHECK(one.serves() + deaf.serves() == shard_count);
  const auto had = one.serves();
  one.shards.hears(true);
  CHECK(eventually([&] { return one.serves_all(); }));
  CHECK(had + deaf.left == shard_count);
}

TEST_CASE("an owner whose beat is not answered is in doubt, and owns again when the same backend answers") {
  const empty_database database;
  service_table table;
  replica one(database, table);
  REQUIRE(eventually([&] { return one.serves_all(); }));
  const auto backend = database.sql(owners_sql("pid"))[0][0].as<int>();
  postgres_server::freeze(backend);
  CHECK(eventually([&] { return one.shards.of(3) == standing::in_doubt; }));
  postgres_server::thaw(backend);
  CHECK(eventually([&] { return one.shards.of(3) == standing::owner; }));
  CHECK(one.lost == 0);
}

TEST_CASE("an owner whose beat is not answered for longer than PostgreSQL would wait for it owns nothing") {
  const empty_database database;
  service_table table;
  replica one(database, table);
  REQUIRE(eventually([&] { return one.serves_all(); }));
  const auto backend = database.sql(owners_sql("pid"))[0][0].as<int>();
  postgres_server::freeze(backend);
  CHECK(eventually([&] { return one.lost == shard_count; }));
  CHECK(one.shards.of(3) == standing::stranger);
  postgres_server::thaw(backend);
  CHECK(eventually([&] { return one.serves_all(); }));
}

TEST_CASE("a replica that gets no connection to write with takes nothing until it does") {
  const empty_database database;
  std::vector<std::unique_ptr<io::database_connection>> all;
  while (auto another = database.database().open(io::connection_role::work)) all.push_back(std::move(*another));
  REQUIRE(all.size() > 10);
  const auto looks = [&] {
    pqxx::nontransaction tx(all.front()->sql());
    return tx.exec("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%FROM pg_locks%' AND pid <> pg_backend_pid()")
        .size();
  };
  service_table table;
  replica one(database, table);
  all.pop_back();  // one is left for the locks
  REQUIRE(eventually([&] { return looks() == 1; }));
  CHECK_FALSE(one.up);
  CHECK(one.serves() == 0);
  all.clear();
  CHECK(eventually([&] { return one.serves_all() && one.up; }));
}

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
