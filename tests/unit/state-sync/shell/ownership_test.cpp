// Shards on real advisory locks (design 3.5).

#include "services/state-sync/shell/ownership.hpp"

#include <algorithm>
#include <array>
#include <mutex>

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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
  explicit replica(const empty_database& on, service_table& all) : replica(on.database(), all) {}
  replica(const io::database& on, service_table& all) : table(all), shards(on, writers, told()) { shards.start(); }
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
            [this](bool is_up, const std::string&) {
              up = is_up;
              refused += is_up ? 0 : 1;
            }};
  }
  std::size_t serves() const { return table.served_by(this); }
  bool serves_all() const { return serves() == shard_count; }

  service_table& table;
  std::atomic<std::size_t> left = 0;
  std::atomic<std::size_t> lost = 0;
  std::atomic<bool> up = false;
  std::atomic<unsigned> refused = 0;    ///< how often it was told that the database does not serve it
  std::atomic<bool> still_held = true;  ///< while it was told that it leaves
  commit_health writers;
  ownership shards;
};

/// Backends that hold a shard.
std::string owners_sql(const std::string& what) {
  return "SELECT " + what +
         " FROM pg_locks WHERE locktype = 'advisory' AND classid = " + std::to_string(lock_key::shards) +
         " GROUP BY pid";
}

/// As a database that refuses new connections, and leaves those that are there alone.
void accept_connections(const empty_database& database, bool accept) {
  const io::database server({private_postgres().url(), "test"});
  const auto admin = server.open(io::connection_role::work);
  REQUIRE(admin);
  pqxx::nontransaction((*admin)->sql())
      .exec("ALTER DATABASE " + database.name() + " ALLOW_CONNECTIONS " + (accept ? "true" : "false"));
}

/// A host that accepts connections and says nothing.
class silent_host {
 public:
  silent_host() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::listen(socket_, 64) == 0);
    socklen_t size = sizeof at;
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
  }
  ~silent_host() { ::close(socket_); }
  silent_host(const silent_host&) = delete;
  silent_host& operator=(const silent_host&) = delete;
  const std::string& address() const { return address_; }

 private:
  int socket_;
  std::string address_;
};

std::size_t members_of(const empty_database& database) {
  return database.sql("SELECT 1 FROM pg_locks WHERE classid = " + std::to_string(lock_key::members)).size();
}

/// A writer that has not been able to connect for 3 s.
void cannot_connect(commit_health& writers) {
  const auto now = clock_type::now();
  writers.connecting(1, "refused", now - std::chrono::seconds(3), now);
}

/// An owner of everything, and what it writes to.
struct alone {
  alone() {
    REQUIRE(eventually([&] { return one.serves_all(); }));
  }
  const empty_database database;
  service_table table;
  replica one{database, table};
};

/// Two that have half of the shards each.
struct sharing : alone {
  sharing() {
    REQUIRE(eventually([&] { return spare.serves() == shard_count / 2 && one.serves() == shard_count / 2; }));
  }
  replica spare{database, table};
};

/// The database's URL with two hosts behind it that say nothing.
std::string with_silent_hosts(const empty_database& database, const silent_host& second, const silent_host& third) {
  auto url = database.url();
  return url.insert(url.find('/', url.find("://") + 3), "," + second.address() + "," + third.address());
}

}  // namespace

TEST_CASE_FIXTURE(alone, "one replica takes all shards, and owns them") {
  CHECK(one.up);
  CHECK(one.shards.of(0) == standing::owner);
  CHECK(one.shards.of(255) == standing::owner);
}

TEST_CASE_FIXTURE(alone, "one that joins gets its share, and each shard is left before it is taken") {
  replica two(database, table);
  REQUIRE(eventually([&] { return two.serves() == shard_count / 2; }));
  replica three(database, table);
  REQUIRE(eventually([&] { return three.serves() >= shard_count / 3; }));
  CHECK(eventually([&] { return one.serves() + two.serves() + three.serves() == shard_count; }));
  CHECK(one.still_held);
  CHECK_FALSE(table.twice());
  CHECK(one.lost + two.lost + three.lost == 0);
}

TEST_CASE_FIXTURE(sharing,
                  "a replica that drains gives everything up at once, and the spare has it in well under a round") {
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

TEST_CASE_FIXTURE(alone,
                  "an owner whose lock connection is ended knows at once that it owns nothing, and joins again") {
  database.sql(owners_sql("pg_terminate_backend(pid)"));
  REQUIRE(eventually([&] { return one.lost == shard_count; }));
  CHECK(eventually([&] { return one.serves_all(); }));
  CHECK(one.left == 0);
}

TEST_CASE_FIXTURE(alone, "what an owner loses is taken by the others") {
  replica two(database, table);
  REQUIRE(eventually([&] { return two.serves() == shard_count / 2; }));
  one.shards.hears(false);  // it will not take them again
  REQUIRE(eventually([&] { return two.serves_all(); }));
  CHECK(one.left == shard_count);
  one.shards.hears(true);
  CHECK(eventually([&] { return one.serves() == shard_count / 2; }));
  CHECK_FALSE(table.twice());
}

TEST_CASE_FIXTURE(alone, "deaf replicas keep what they have as long as nobody else can hear") {
  one.shards.hears(false);
  REQUIRE(eventually([&] { return members_of(database) == 0; }));
  replica deaf(database, table);
  deaf.shards.hears(false);
  REQUIRE(eventually([&] { return deaf.up.load(); }));
  REQUIRE(eventually([&] { return members_of(database) == 0; }));
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
  bool kept = false;
  // Again where this test itself stood still for longer than PostgreSQL waits.
  for (int attempt = 0; attempt < 3 && !kept; ++attempt) {
    REQUIRE(eventually([&] { return one.serves_all(); }));
    const auto lost_before = one.lost.load();
    const auto backend = database.sql(owners_sql("pid"))[0][0].as<int>();
    postgres_server::freeze(backend);
    CHECK(eventually([&] { return one.shards.of(3) == standing::in_doubt; }));
    postgres_server::thaw(backend);
    CHECK(eventually([&] { return one.shards.of(3) == standing::owner; }));
    kept = one.lost == lost_before;
  }
  CHECK(kept);
}

TEST_CASE_FIXTURE(alone,
                  "an owner whose beat is not answered for longer than PostgreSQL would wait for it owns nothing") {
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
  all.pop_back();  // one is left, for the locks or for a writer
  service_table table;
  replica one(database, table);
  REQUIRE(eventually([&] { return one.refused > 2; }));
  CHECK_FALSE(one.up);
  CHECK(one.serves() == 0);
  all.clear();
  CHECK(eventually([&] { return one.serves_all() && one.up; }));
}

TEST_CASE_FIXTURE(
    sharing, "an owner whose writers get no connection leaves its shards to a member that writes, and comes back") {
  const auto had = one.serves();
  const auto left_before = one.left.load();
  accept_connections(database, false);
  cannot_connect(one.writers);
  REQUIRE(eventually([&] { return spare.serves_all(); }));
  CHECK(one.left == left_before + had);
  CHECK(one.lost == 0);
  CHECK_FALSE(one.up);
  CHECK(one.shards.certain());
  accept_connections(database, true);
  CHECK(eventually([&] { return one.serves() == shard_count / 2 && one.up; }));
  CHECK_FALSE(table.twice());
}

TEST_CASE_FIXTURE(alone,
                  "an owner whose writers get no connection keeps its shards as long as no other member is there") {
  const auto watch = database.open();
  const auto members = [&] {
    pqxx::nontransaction tx(watch->sql());
    return tx.exec("SELECT 1 FROM pg_locks WHERE classid = " + std::to_string(lock_key::members)).size();
  };
  accept_connections(database, false);
  cannot_connect(one.writers);
  REQUIRE(eventually([&] { return members() == 0; }));
  const auto refused = one.refused.load();
  REQUIRE(eventually([&] { return one.refused > refused + 6; }));  // longer than it would wait for a member
  CHECK(one.serves_all());
  CHECK(one.shards.of(9) == standing::owner);
  accept_connections(database, true);
  REQUIRE(eventually([&] { return members() == 1 && one.up; }));
  CHECK(one.left + one.lost == 0);
}

TEST_CASE_FIXTURE(sharing,
                  "a writer that could not connect, on a server that can be connected to, costs its owner nothing") {
  const auto left_before = one.left.load();
  cannot_connect(one.writers);
  REQUIRE(eventually([&] { return one.refused > 0; }));
  REQUIRE(eventually([&] { return one.writers.cannot_write(clock_type::now()).empty() && one.up; }));
  CHECK(eventually([&] { return members_of(database) == 2; }));
  CHECK(one.left == left_before);
}

TEST_CASE_FIXTURE(sharing, "an owner with a writer that stands still leaves its shards until that writer goes on") {
  one.writers.goes_on(0, clock_type::now() - std::chrono::seconds(20));
  REQUIRE(eventually([&] { return spare.serves_all(); }));
  CHECK(members_of(database) == 1);
  one.writers.goes_on(0, clock_type::now());
  CHECK(eventually([&] { return one.serves() == shard_count / 2; }));
  CHECK(one.lost == 0);
}

TEST_CASE("hosts that answer nothing make a join slow, but do not break it") {
  const empty_database database;
  const silent_host second, third;
  const io::database list({with_silent_hosts(database, second, third), "test"});
  service_table table;
  replica one(list, table);
  REQUIRE(eventually([&] { return one.serves_all(); }));
  CHECK(one.refused == 0);
}

TEST_CASE("a trial whose question is answered otherwise is forgotten, and its connection with it") {
  const empty_database database;
  const silent_host second, third;
  const io::database list({with_silent_hosts(database, second, third), "trial"});
  service_table table;
  replica one(list, table);
  REQUIRE(eventually([&] { return one.serves_all(); }));
  const auto connections = [&] {
    return database.sql("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'trial%'").size();
  };
  REQUIRE(eventually([&] { return connections() == 1; }));
  // Off the list with a trial under way, which looks at all hosts; on it again by a new lock connection.
  const auto choice_forgotten = clock_type::now() + io::host_knowledge::choice_age_max;
  REQUIRE(eventually([&] {
    if (clock_type::now() < choice_forgotten) return false;
    cannot_connect(one.writers);
    return connections() == 2;
  }));
  database.sql(owners_sql("pg_terminate_backend(pid)"));
  REQUIRE(eventually([&] { return members_of(database) == 1 && one.serves_all(); }));
  CHECK(eventually([&] { return connections() == 1; }));
}
