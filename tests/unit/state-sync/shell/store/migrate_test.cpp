#include "services/state-sync/shell/store/migrate.hpp"

#include <thread>

#include <doctest/doctest.h>

#include "services/state-sync/shell/schema_gate.hpp"
#include "services/state-sync/shell/store/migrations.hpp"
#include "tests/unit/state-sync/shell/store/database_fixture.hpp"

using namespace throughline;
using namespace throughline::state_sync;
using namespace throughline::testing;

TEST_CASE("migrations are applied once, and recorded") {
  const empty_database database(false);
  const auto c = database.open();
  CHECK(schema_of(*c) == schema_state::older);
  CHECK(migrate(*c) == static_cast<int>(all_migrations().size()));
  CHECK(schema_of(*c) == schema_state::current);
  CHECK(migrate(*c) == 0);
  CHECK(database.sql("SELECT version FROM schema_version").size() == all_migrations().size());
}

TEST_CASE("several replicas may migrate at once") {
  const empty_database database(false);
  std::atomic<int> applied = 0;
  std::vector<std::thread> replicas;
  for (int i = 0; i < 4; ++i) replicas.emplace_back([&] { applied += migrate(*database.open()); });
  for (auto& r : replicas) r.join();
  CHECK(applied == static_cast<int>(all_migrations().size()));
}

TEST_CASE("the gate: older stops the start, newer is fine, --migrate helps") {
  const empty_database database(false);
  const auto fault = check_database(database.database(), false);
  REQUIRE(fault);
  CHECK(fault->condition == "schema");
  CHECK(fault->fatal == exit_old_schema);
  CHECK_FALSE(check_database(database.database(), true));
  database.sql("INSERT INTO schema_version (version, name) VALUES (9999, 'of the future')");
  CHECK_FALSE(check_database(database.database(), false));
}

TEST_CASE("an unreachable database is waited for") {
  const io::database nowhere({"postgresql://postgres@127.0.0.1:1/postgres", "test"});
  const auto fault = check_database(nowhere, false);
  REQUIRE(fault);
  CHECK(fault->condition == "database");
  CHECK_FALSE(fault->fatal);
}
