#include <doctest/doctest.h>

#include "common/io/postgres/database.hpp"
#include "tests/support/database.hpp"

using namespace throughline::io;
using namespace throughline::testing;

namespace {

template <class Look>
auto failure_of(const std::string& statement, Look look) {
  const auto connection = database({private_postgres().url(), "unit_io"}).open(connection_role::work);
  REQUIRE(connection.has_value());
  try {
    pqxx::work tx((*connection)->sql());
    tx.exec(statement);
  } catch (const std::exception& error) {
    return look(error);
  }
  FAIL("no failure");
  return look(std::exception());
}

failure_kind kind_of(const std::string& statement) {
  return failure_of(statement, classify);
}

/// A failure with a SQLSTATE of our choice, from a real server.
std::string raise(const std::string& state) {
  return "DO $$ BEGIN RAISE SQLSTATE '" + state + "'; END $$";
}

}  // namespace

TEST_CASE("only classes 22, 23 and 54 can be an input's fault") {
  CHECK(kind_of("SELECT 1/0") == failure_kind::input_fault);
  CHECK(kind_of("SELECT 'x'::int") == failure_kind::input_fault);
  CHECK(kind_of("CREATE TABLE t (n int CHECK (n > 0)); INSERT INTO t VALUES (0)") == failure_kind::input_fault);
  CHECK(kind_of(raise("23505")) == failure_kind::input_fault);
  CHECK(kind_of(raise("54000")) == failure_kind::input_fault);
}

TEST_CASE("everything else is the environment's") {
  CHECK(kind_of("SELECT 1 FROM no_such_table") == failure_kind::environment);
  for (const auto* state : {"55P03", "53100", "25006", "40001", "40P01", "57014", "XX000"}) {
    CAPTURE(state);
    CHECK(kind_of(raise(state)) == failure_kind::environment);
  }
  CHECK(classify(std::runtime_error("else")) == failure_kind::environment);
}

TEST_CASE("a lost connection, and a commit in doubt") {
  for (const auto* state : {"57P01", "25P03", "08006"}) {
    CAPTURE(state);
    CHECK(kind_of(raise(state)) == failure_kind::connection_lost);
  }
  CHECK(kind_of("SELECT pg_terminate_backend(pg_backend_pid())") == failure_kind::connection_lost);
  CHECK(classify(pqxx::broken_connection()) == failure_kind::connection_lost);
  CHECK(classify(pqxx::in_doubt_error("x")) == failure_kind::in_doubt);
}

TEST_CASE("the reason for operators names the error, and quotes nothing of the server's words") {
  const auto reason = [](const std::string& statement) { return failure_of(statement, reason_of); };
  CHECK(reason(raise("53100")) == "environment: disk full (SQLSTATE 53100)");
  CHECK(reason(raise("25006")) == "environment: the server is read-only (SQLSTATE 25006)");
  CHECK(reason("SELECT 'a secret'::int") == "input_fault (SQLSTATE 22P02)");
  CHECK(reason_of(pqxx::broken_connection()) == "connection_lost");
}
