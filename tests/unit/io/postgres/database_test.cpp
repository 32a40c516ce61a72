#include "common/io/postgres/database.hpp"

#include <set>

#include <doctest/doctest.h>

#include "tests/support/database.hpp"

using namespace throughline::io;
using namespace throughline::testing;
using namespace std::chrono_literals;

namespace {

std::string setting(database_connection& of, const std::string& name) {
  pqxx::nontransaction tx(of.sql());
  return tx.exec1("SELECT current_setting('" + name + "')")[0].as<std::string>();
}

std::unique_ptr<database_connection> opened(const database& from, connection_role role) {
  auto connection = from.open(role);
  REQUIRE_MESSAGE(connection.has_value(), connection.error().message);
  return std::move(*connection);
}

open_failure refusal(const std::string& url) {
  const auto connection = database({url, "unit_io"}).open(connection_role::work);
  REQUIRE_FALSE(connection.has_value());
  CHECK(connection.error().message.find('\n') == std::string::npos);
  CHECK(connection.error().message.find("secret") == std::string::npos);
  return connection.error().kind;
}

}  // namespace

TEST_CASE("a working connection has what the guarantees rest on") {
  const database db({private_postgres().url(), "unit_io"});
  const auto work = opened(db, connection_role::work);
  CHECK(work->usable());
  CHECK(setting(*work, "application_name") == "unit_io");
  CHECK(setting(*work, "idle_in_transaction_session_timeout") == "5s");
  CHECK(setting(*work, "lock_timeout") == "8s");
  CHECK(setting(*work, "synchronous_commit") == "on");
  CHECK(setting(*work, "idle_session_timeout") == "0");
  CHECK(setting(*work, "tcp_keepalives_idle") == "5");
  CHECK(setting(*work, "tcp_user_timeout") == "10000");
  CHECK(setting(*work, "client_encoding") == "UTF8");

  const auto lock = opened(db, connection_role::lock);
  CHECK(setting(*lock, "idle_session_timeout") == "5s");
  CHECK(setting(*lock, "idle_in_transaction_session_timeout") == "0");
}

TEST_CASE("synchronous_commit is raised to on, and left where it is above") {
  auto& server = private_postgres();
  const database db({server.url(), "unit_io"});
  for (const auto& [configured, wanted] :
       {std::pair{"off", "on"}, {"local", "on"}, {"remote_write", "on"}, {"remote_apply", "remote_apply"}}) {
    server.stop();
    server.start({std::string("synchronous_commit=") + configured});
    CHECK(setting(*opened(db, connection_role::work), "synchronous_commit") == wanted);
  }
  server.stop();
  server.start();
}

TEST_CASE("a server that may lose commits is refused") {
  auto& server = private_postgres();
  for (const auto* unsafe : {"fsync=off", "full_page_writes=off"}) {
    server.stop();
    server.start({unsafe});
    CHECK(refusal(server.url()) == open_failure::unsafe_server);
  }
  server.stop();
  server.start();
}

TEST_CASE("a standby is not a primary, nor is a read-only one; a list of hosts finds the primary") {
  auto& server = private_postgres();
  server.stop();
  server.standby(true);
  server.start();
  CHECK(refusal(server.url()) == open_failure::not_primary);
  server.stop();
  server.standby(false);
  server.start({"default_transaction_read_only=on"});
  CHECK(refusal(server.url()) == open_failure::not_primary);
  server.stop();
  server.start();
  const auto port = server.url().substr(server.url().find("127.0.0.1"));
  const database several({"postgresql://postgres@127.0.0.1:1," + port, "unit_io"});
  CHECK(opened(several, connection_role::work)->usable());
}

TEST_CASE("what cannot be reached, and what cannot be read") {
  CHECK(refusal("postgresql://u:secret@127.0.0.1:1/db") == open_failure::unreachable);
  CHECK(refusal(private_postgres().url() + "_that_is_not_there") == open_failure::login_refused);
  const auto address = private_postgres().url().substr(private_postgres().url().find('@'));
  CHECK(refusal("postgresql://nobody" + address) == open_failure::login_refused);
  CHECK(refusal("postgresql://u:secret@[host/db") == open_failure::bad_url);
  CHECK(refusal("secret") == open_failure::bad_url);
  CHECK(refusal("") != open_failure::bad_url);  // libpq's own defaults
}

TEST_CASE("a connection that broke is not opened again behind its user's back") {
  const database db({private_postgres().url(), "unit_io"});
  const auto victim = opened(db, connection_role::work);
  const auto killer = opened(db, connection_role::work);
  end_backend(*killer, backend_of(*victim));
  const auto attempt = [&] {
    pqxx::work tx(victim->sql());
    tx.exec1("SELECT 1");
  };
  for (int i = 0; i < 2; ++i) {
    try {
      attempt();
      FAIL("the connection was opened again");
    } catch (const std::exception& error) {
      CHECK(classify(error) == failure_kind::connection_lost);
    }
  }
  CHECK_FALSE(victim->usable());
}

TEST_CASE("a limit frees a query on a frozen server, and none that was in time") {
  const database db({private_postgres().url(), "unit_io"});
  const auto connection = opened(db, connection_role::work);
  {
    const auto in_time = connection->limit(10s);
    pqxx::nontransaction(connection->sql()).exec1("SELECT 1");
  }
  CHECK(connection->usable());
  const auto backend = backend_of(*connection);
  postgres_server::freeze(backend);
  const auto from = std::chrono::steady_clock::now();
  try {
    const auto limit = connection->limit(100ms);
    pqxx::nontransaction(connection->sql()).exec1("SELECT 1");
    FAIL("a frozen server answered");
  } catch (const std::exception& error) {
    CHECK(classify(error) == failure_kind::connection_lost);
  }
  CHECK(std::chrono::steady_clock::now() - from < 3s);
  CHECK_FALSE(connection->usable());
  postgres_server::thaw(backend);
}
