// Which of several hosts a connection goes to (design 3.4).

#include <doctest/doctest.h>

#include "common/io/postgres/database.hpp"
#include "tests/support/database.hpp"

using namespace throughline::io;
using namespace throughline::testing;

namespace {

std::string address_of(const postgres_server& server) {
  const auto url = server.url();
  const auto from = url.find('@') + 1;
  return url.substr(from, url.find('/', from) - from);
}

/// Two primaries of one list, each with an epoch of its own.
struct two_hosts {
  two_hosts() {
    other.stop();
    other.start();
  }
  std::uint64_t epoch_at(database_connection& c) const {
    return std::string(c.sql().port()) == port_of(one) ? one_epoch : other_epoch;
  }
  static std::string port_of(const postgres_server& server) {
    const auto address = address_of(server);
    return address.substr(address.find(':') + 1);
  }
  open_result open() const {
    return db.open(connection_role::work, [this](database_connection& c, std::uint64_t) { return epoch_at(c); });
  }
  void look_around() const {
    db.look_around([this](database_connection& c, std::uint64_t) { return epoch_at(c); });
  }
  static bool is_at(const open_result& connection, const postgres_server& server) {
    REQUIRE_MESSAGE(connection.has_value(), connection.error().message);
    return std::string((*connection)->sql().port()) == port_of(server);
  }
  static postgres_server& second() {
    static postgres_server only;
    return only;
  }
  postgres_server& one = private_postgres();
  postgres_server& other = second();
  std::uint64_t one_epoch = 1;
  std::uint64_t other_epoch = 1;
  database db{{"postgresql://postgres@" + address_of(one) + "," + address_of(other) + "/postgres", "unit_io"}};
};

}  // namespace

TEST_CASE("of several primaries that with the highest epoch, wherever it stands in the list") {
  two_hosts h;
  CHECK(h.is_at(h.open(), h.one));
  h.other_epoch = 2;
  const auto before = h.open();  // chosen a moment ago: the other was not looked at
  CHECK(h.is_at(before, h.one));
  h.look_around();
  CHECK(h.db.highest_epoch() == 2);
  CHECK_FALSE((*before)->usable());
  const auto after = h.open();
  CHECK(h.is_at(after, h.other));
  CHECK((*after)->usable());
  CHECK((*after)->epoch() == 2);
}

TEST_CASE("an old primary is not used even when it is alone, until it has a higher epoch") {
  two_hosts h;
  h.other_epoch = 2;
  const auto good = h.open();
  REQUIRE(h.is_at(good, h.other));
  h.other.stop();
  const auto none = h.open();
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().kind == open_failure::outdated);
  CHECK(none.error().message.find("its epoch is 1, and 2 has been seen") != std::string::npos);
  CHECK(none.error().message.find(two_hosts::port_of(h.other)) != std::string::npos);
  h.one_epoch = 3;
  CHECK(h.is_at(h.open(), h.one));
  CHECK_FALSE((*good)->usable());
}

TEST_CASE("a primary whose epoch cannot be found is none, and says why") {
  two_hosts h;
  const auto opened = h.db.open(connection_role::work, [](database_connection& c, std::uint64_t) -> std::uint64_t {
    pqxx::nontransaction(c.sql()).exec("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$");
    return 1;
  });
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().kind == open_failure::no_epoch);
  CHECK(opened.error().message.find("disk full (SQLSTATE 53100)") != std::string::npos);
}

TEST_CASE("an epoch that somebody else has seen makes connections of a lower one unusable") {
  two_hosts h;
  const auto before = h.open();
  REQUIRE(before.has_value());
  h.db.saw_epoch(1);
  CHECK((*before)->usable());
  h.db.saw_epoch(4);
  h.db.saw_epoch(2);
  CHECK(h.db.highest_epoch() == 4);
  CHECK_FALSE((*before)->usable());
  CHECK(h.open().error().kind == open_failure::outdated);
}

TEST_CASE("a server without a connection left says so") {
  auto& server = private_postgres();
  server.stop();
  server.start({"max_connections=2", "superuser_reserved_connections=0"});
  {
    const database db({server.url(), "unit_io"});
    const auto one = db.open(connection_role::work);
    const auto two = db.open(connection_role::work);
    REQUIRE(one.has_value());
    REQUIRE(two.has_value());
    const auto three = db.open(connection_role::work);
    REQUIRE_FALSE(three.has_value());
    CHECK(three.error().kind == open_failure::exhausted);
  }
  server.stop();
  server.start();
}
