#include <thread>

#include <doctest/doctest.h>

#include "common/io/postgres/database.hpp"
#include "tests/support/database.hpp"

using namespace throughline::io;
using namespace throughline::testing;
using namespace std::chrono_literals;

namespace {

struct table {
  table() {
    pqxx::nontransaction tx(connection->sql());
    tx.exec0("DROP TABLE IF EXISTS numbers");
    tx.exec0("CREATE TABLE numbers (n int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)");
  }
  std::unique_ptr<database_connection> open() const {
    auto made = db.open(connection_role::work);
    REQUIRE(made.has_value());
    return std::move(*made);
  }
  bool has(int n) const {
    pqxx::nontransaction tx(connection->sql());
    return !tx.exec("SELECT 1 FROM numbers WHERE n = " + std::to_string(n)).empty();
  }
  database db{{private_postgres().url(), "unit_io"}};
  std::unique_ptr<database_connection> connection = open();
};

void insert(pqxx::transaction_base& tx, int n) {
  tx.exec0("INSERT INTO numbers VALUES (" + std::to_string(n) + ")");
}

}  // namespace

TEST_CASE("a commit, and the next on the same connection") {
  const table t;
  const auto writer = t.open();
  for (int n = 1; n <= 2; ++n) {
    pqxx::work tx(writer->sql());
    insert(tx, n);
    writer->commit(tx);
    CHECK(t.has(n));
  }
  CHECK(writer->usable());
}

TEST_CASE("a constraint that fails at commit is the input's fault, and nothing was written") {
  const table t;
  const auto writer = t.open();
  pqxx::work tx(writer->sql());
  insert(tx, 1);
  insert(tx, 1);
  try {
    writer->commit(tx);
    FAIL("committed");
  } catch (const std::exception& error) {
    CHECK(classify(error) == failure_kind::input_fault);
  }
  CHECK(writer->usable());
  CHECK_FALSE(t.has(1));
}

TEST_CASE("a COMMIT without an answer is in doubt after 5 s") {
  const table t;
  const auto writer = t.open();
  const auto backend = backend_of(*writer);
  pqxx::work tx(writer->sql());
  insert(tx, 1);
  postgres_server::freeze(backend);
  const auto from = std::chrono::steady_clock::now();
  try {
    writer->commit(tx);
    FAIL("a frozen server answered");
  } catch (const std::exception& error) {
    CHECK(classify(error) == failure_kind::in_doubt);
  }
  const auto took = std::chrono::steady_clock::now() - from;
  CHECK(took >= 5s);
  CHECK(took < 8s);
  CHECK_FALSE(writer->usable());
  // In doubt means just that: what the server does with it when it goes on is its own affair, and then settled.
  postgres_server::thaw(backend);
  CHECK(eventually([&] { return backend_is_gone(*t.connection, backend); }));
}

TEST_CASE("a connection that breaks before COMMIT is sent, or at it, is in doubt") {
  const table t;
  const auto writer = t.open();
  pqxx::work tx(writer->sql());
  insert(tx, 1);
  end_backend(*t.connection, backend_of(*writer));
  try {
    writer->commit(tx);
    FAIL("committed");
  } catch (const std::exception& error) {
    CHECK(classify(error) == failure_kind::in_doubt);
  }
  CHECK_FALSE(writer->usable());
}

TEST_CASE("a COMMIT that returns a warning is in doubt") {
  auto& server = private_postgres();
  server.stop();
  server.start({"synchronous_standby_names=nobody"});
  {
    database db({server.url(), "unit_io"});
    auto control = db.open(connection_role::work);
    auto writer = db.open(connection_role::work);
    REQUIRE(control.has_value());
    REQUIRE(writer.has_value());
    const auto backend = std::to_string(backend_of(**writer));
    // It waits for a standby that is not there; to cancel the wait leaves a local commit, a warning, and no error.
    std::thread canceller([&] {
      pqxx::nontransaction tx((*control)->sql());
      eventually([&] {
        return !tx.exec("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid = " + backend).empty();
      });
      tx.exec1("SELECT pg_cancel_backend(" + backend + ")");
    });
    pqxx::work tx((*writer)->sql());
    tx.exec0("CREATE TABLE warned (n int)");
    try {
      (*writer)->commit(tx);
      FAIL("a warning went by");
    } catch (const std::exception& error) {
      CHECK(classify(error) == failure_kind::in_doubt);
      CHECK(std::string(error.what()).find("warning") != std::string::npos);
    }
    CHECK_FALSE((*writer)->usable());
    canceller.join();
  }
  server.stop();
  server.start();
}
