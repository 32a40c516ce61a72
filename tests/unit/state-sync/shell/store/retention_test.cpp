#include "services/state-sync/shell/store/retention.hpp"

#include <doctest/doctest.h>

#include "tests/unit/state-sync/shell/store/database_fixture.hpp"

using namespace throughline;
using namespace throughline::state_sync;
using namespace throughline::testing;

namespace {

std::string hours_ago(int hours) {
  return "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint - " + std::to_string(hours) + " * 3600000000";
}

void add_answer(const empty_database& to, const std::string& scope, const std::string& id, int hours) {
  to.sql("INSERT INTO answers VALUES ('" + scope + "', '" + id + "', 'f', 201, '', false, " + hours_ago(hours) + ")");
}

std::string left(const empty_database& in, const std::string& column, const std::string& table) {
  std::string all;
  for (const auto& row : in.sql("SELECT " + column + " FROM " + table + " ORDER BY 1")) {
    all += row[0].as<std::string>() + " ";
  }
  return all;
}

}  // namespace

TEST_CASE("answers to creations are kept for 24 h, the others as long as their session") {
  empty_database database;
  add_answer(database, "user:alice", "old", 25);
  add_answer(database, "user:alice", "young", 23);
  add_answer(database, "ses_01h2xcejqtf2nbrexx3vqjhp41", "of-session", 1000);
  const auto connection = database.open();
  CHECK(remove_expired(*connection, 100) == 1);
  CHECK(left(database, "id", "answers") == "of-session young ");
  CHECK(remove_expired(*connection, 100) == 0);
}

TEST_CASE("agent tokens that expired long ago go, those without an end stay") {
  empty_database database;
  database.sql("INSERT INTO agent_tokens VALUES ('gone', 's', 0, " + hours_ago(25) + "), ('expired', 's', 0, " +
               hours_ago(1) + "), ('endless', 's', 0, NULL)");
  CHECK(remove_expired(*database.open(), 100) == 1);
  CHECK(left(database, "hash", "agent_tokens") == "endless expired ");
}

TEST_CASE("one call removes no more than it may, the oldest first, and waits for no lock") {
  empty_database database;
  for (int i = 0; i < 5; ++i) add_answer(database, "user:alice", "a" + std::to_string(i), 100 - i);
  const auto other = database.open();
  pqxx::work lock(other->sql());
  lock.exec("SELECT 1 FROM answers WHERE id = 'a0' FOR UPDATE");
  const auto connection = database.open();
  CHECK(remove_expired(*connection, 2) == 2);
  CHECK(left(database, "id", "answers") == "a0 a3 a4 ");
  lock.abort();
  CHECK(remove_expired(*connection, 100) == 3);
}
