#include "common/io/nats/server_url.hpp"

#include <doctest/doctest.h>

using throughline::io::detail::parse_server_urls;

TEST_CASE("a list: blanks and empty parts are left out, a missing scheme is nats") {
  const auto urls = parse_server_urls(" nats://a:4222, b ,,tls://c:1");
  REQUIRE(urls.size() == 3);
  CHECK(urls[0].address == "nats://a:4222");
  CHECK_FALSE(urls[0].tls);
  CHECK(urls[1].address == "nats://b");
  CHECK(urls[2].address == "tls://c:1");
  CHECK(urls[2].tls);
  for (const auto& url : urls) {
    CHECK(url.user.empty());
    CHECK_FALSE(url.has_password);
  }
  CHECK(parse_server_urls("").empty());
}

TEST_CASE("user and password are decoded and not part of the address") {
  const auto one = parse_server_urls("tls://us%65r:p%40ss%3A%20w%25@host:4222").front();
  CHECK(one.address == "tls://host:4222");
  CHECK(one.user == "user");
  CHECK(one.password == "p@ss: w%");
  CHECK(one.has_password);
}

TEST_CASE("what is not encoded stands for itself") {
  const auto one = parse_server_urls("nats://user:a:b@c%zz%4@[::1]:4222").front();
  CHECK(one.address == "nats://[::1]:4222");
  CHECK(one.password == "a:b@c%zz%4");
  const auto empty = parse_server_urls("nats://user:@host").front();
  CHECK(empty.has_password);
  CHECK(empty.password.empty());
}

TEST_CASE("a user without a password is a token") {
  const auto one = parse_server_urls("nats://t0k%65n@host").front();
  CHECK(one.user == "t0ken");
  CHECK_FALSE(one.has_password);
}
