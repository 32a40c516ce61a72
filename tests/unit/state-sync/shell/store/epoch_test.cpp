// Design 3.4.

#include <doctest/doctest.h>

#include "services/state-sync/shell/store/locks.hpp"
#include "tests/unit/state-sync/shell/store/database_fixture.hpp"

using namespace throughline;
using namespace throughline::state_sync;
using namespace throughline::testing;

TEST_CASE("the first connection establishes epoch 1, and later ones find it") {
  const empty_database database;
  CHECK(database.epoch() == 1);
  CHECK(establish_epoch(*database.open()) == 1);
}

TEST_CASE("another system or timeline raises the epoch, once") {
  const empty_database database;
  database.sql("UPDATE service_epoch SET timeline = '0000FFFF'");
  CHECK(establish_epoch(*database.open()) == 2);
  CHECK(establish_epoch(*database.open()) == 2);
  database.sql("UPDATE service_epoch SET system_identifier = '1'");
  CHECK(establish_epoch(*database.open()) == 3);
}

TEST_CASE("a write transaction under another epoch than the current one is refused") {
  const empty_database database;
  const auto c = database.open();
  store through(*c);
  CHECK_NOTHROW(through.begin(1));
  through.abandon();
  CHECK(raise_epoch(*database.open()) == 2);
  try {
    through.begin(1);
    FAIL("the old epoch was accepted");
  } catch (const epoch_changed& changed) {
    CHECK(changed.found == 2);
  }
}

TEST_CASE("a raise waits for write transactions under way, which keep their epoch") {
  const empty_database database;
  const auto writer = database.open();
  store through(*writer);
  through.begin(1);
  const auto raiser = database.open();
  const auto exclusive = "SELECT pg_advisory_xact_lock(" + std::to_string(lock_key::service) + ", " +
                         std::to_string(lock_key::epoch) + ")";
  pqxx::work tx(raiser->sql());
  tx.exec("SET LOCAL lock_timeout = '50ms'");
  CHECK_THROWS_AS(tx.exec(exclusive), pqxx::sql_error);
  tx.abort();
  (void)through.commit();
  CHECK(raise_epoch(*raiser) == 2);
}

TEST_CASE("a raise goes above what was seen elsewhere: it may itself have been among what a failover lost") {
  const empty_database database;
  database.sql("UPDATE service_epoch SET timeline = '0000FFFF'");
  CHECK(establish_epoch(*database.open(), 7) == 8);
  CHECK(establish_epoch(*database.open(), 8) == 8);
}

TEST_CASE("a server with nothing to raise keeps its epoch, however low: it is an old primary") {
  const empty_database database;
  CHECK(establish_epoch(*database.open(), 7) == 1);
}

TEST_CASE("a raise by hand counts once, and goes above what a restored database cannot know") {
  const empty_database database;
  CHECK(raise_epoch(*database.open()) == 2);
  CHECK(establish_epoch(*database.open(), 1) == 2);
  CHECK(establish_epoch(*database.open(), 1) == 2);
  CHECK(raise_epoch(*database.open()) == 3);
  CHECK(establish_epoch(*database.open(), 3) == 4);
  CHECK(raise_epoch(*database.open()) == 5);
  CHECK(raise_epoch(*database.open()) == 6);
  CHECK(establish_epoch(*database.open(), 9) == 10);
  CHECK(establish_epoch(*database.open(), 12) == 10);
}

TEST_CASE("a database without a schema has no epoch yet") {
  const empty_database database(false);
  CHECK(find_epoch(*database.open(), 3) == 0);
  migrate(*database.open());
  CHECK(find_epoch(*database.open(), 3) == 4);
}
