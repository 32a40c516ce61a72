// What a new owner asks the database first (design 3.5).

#include "services/state-sync/shell/store/takeover.hpp"

#include <doctest/doctest.h>

#include "tests/unit/state-sync/shell/store/database_fixture.hpp"
#include "tests/unit/state-sync/shell/store/sample_changes.hpp"

using namespace throughline;
using namespace throughline::state_sync;
using namespace throughline::testing;

namespace {

void create(const empty_database& database, io::database_connection& connection) {
  store through(connection);
  const auto now = through.begin(database.epoch());
  const auto locked = through.lock({sample_session});
  write_set what;
  what.add(new_session(database.epoch()));
  through.write(what, locked, now);
  (void)through.commit();
}

}  // namespace

TEST_CASE("the last events of sessions that were written just now are found by their shard") {
  const empty_database database;
  const auto connection = database.open();
  create(database, *connection);
  const auto here = shard_of(sample_session).value();
  const auto found = recent_heads(*connection, {here});
  REQUIRE(found.size() == 1);
  CHECK(found[0].session == sample_session);
  CHECK(recent_heads(*connection, {static_cast<shard_number>(here + 1)}).empty());
}

TEST_CASE("heads that cannot be found in half a second are left out, and the connection is as good as before") {
  const empty_database database;
  const auto connection = database.open();
  create(database, *connection);
  const auto here = shard_of(sample_session).value();
  {
    const auto other = database.open();
    pqxx::work blocking(other->sql());
    blocking.exec0("LOCK TABLE session_heads IN ACCESS EXCLUSIVE MODE");
    const auto began = std::chrono::steady_clock::now();
    CHECK(recent_heads(*connection, {here}).empty());
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
  }
  CHECK(connection->usable());
  CHECK(recent_heads(*connection, {here}).size() == 1);
  pqxx::nontransaction after(connection->sql());
  CHECK(after.exec1("SHOW statement_timeout")[0].as<std::string>() == "0");
}
