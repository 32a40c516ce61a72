#include "common/io/postgres/conninfo.hpp"

#include <doctest/doctest.h>

using throughline::io::connection_parameters;

namespace {

std::vector<std::string> of(const std::string& url) {
  auto hosts = connection_parameters(url, "app");
  REQUIRE(hosts.has_value());
  return *hosts;
}

bool has(const std::string& list, const std::string& parameter) {
  return list.find(parameter + " ") != std::string::npos;
}

}  // namespace

TEST_CASE("one list per host, each with what the URL says of all, and with our parameters over it") {
  const auto hosts =
      of("postgresql://u:p'w@a:1,b,[::1]:3/db?target_session_attrs=any&sslmode=require&connect_timeout=60");
  REQUIRE(hosts.size() == 3);
  CHECK(has(hosts[0], "host='a'"));
  CHECK(has(hosts[0], "port='1'"));
  CHECK(has(hosts[1], "host='b'"));
  CHECK(has(hosts[1], "port=''"));
  CHECK(has(hosts[2], "host='::1'"));
  CHECK(has(hosts[2], "port='3'"));
  for (const auto& host : hosts) {
    CHECK(has(host, "password='p\\'w'"));
    CHECK(has(host, "dbname='db'"));
    CHECK(has(host, "sslmode='require'"));
    CHECK(has(host, "target_session_attrs='read-write'"));
    CHECK(has(host, "connect_timeout='3'"));
  }
}

TEST_CASE("key=value lists: one port for all, or one each; addresses beside names") {
  const auto one_port = of("host=a,b port=7 dbname=db");
  REQUIRE(one_port.size() == 2);
  CHECK(has(one_port[1], "host='b'"));
  CHECK(has(one_port[1], "port='7'"));
  const auto addresses = of("host=a,b hostaddr=10.0.0.1,10.0.0.2 dbname=db");
  REQUIRE(addresses.size() == 2);
  CHECK(has(addresses[1], "host='b'"));
  CHECK(has(addresses[1], "hostaddr='10.0.0.2'"));
}

TEST_CASE("lists that do not fit each other are left to libpq, which says so") {
  CHECK(of("host=a,b,c port=1,2 dbname=db").size() == 1);
  CHECK(of("host=a,b hostaddr=10.0.0.1 dbname=db").size() == 1);
  CHECK(of("dbname=db").size() == 1);
}

TEST_CASE("what cannot be read is not repeated") {
  const auto hosts = connection_parameters("postgresql://u:secret@[host/db", "app");
  REQUIRE_FALSE(hosts.has_value());
  CHECK(hosts.error().find("secret") == std::string::npos);
}
