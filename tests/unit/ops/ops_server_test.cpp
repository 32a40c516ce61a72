#include "common/ops/ops_server.hpp"

#include <doctest/doctest.h>
#include <httplib.h>

using namespace throughline::ops;

TEST_CASE("health, readiness and metrics over HTTP") {
  readiness ready{"nats", "database"};
  metrics_registry metrics;
  metrics.make_counter("things_total", "Things.").add(7);
  ops_server server(ready, metrics);
  const auto port = server.start({"127.0.0.1", 0});
  REQUIRE(port.has_value());
  CHECK(*port != 0);

  httplib::Client client("127.0.0.1", *port);
  auto answer = client.Get("/healthz");
  REQUIRE(answer);
  CHECK(answer->status == 200);

  ready.met("nats");
  answer = client.Get("/readyz");
  REQUIRE(answer);
  CHECK(answer->status == 503);
  CHECK(answer->body == R"({"ready":false,"reasons":{"database":"starting"}})");
  ready.met("database");
  answer = client.Get("/readyz");
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(answer->body == R"({"ready":true,"reasons":{}})");

  answer = client.Get("/metrics");
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(answer->body.find("\nthings_total 7\n") != std::string::npos);
  answer = client.Get("/else");
  REQUIRE(answer);
  CHECK(answer->status == 404);

  server.stop();
  server.stop();
  CHECK_FALSE(client.Get("/healthz"));
}

TEST_CASE("an address in use, or none, is an error value") {
  readiness ready{};
  metrics_registry metrics;
  ops_server first(ready, metrics);
  ops_server second(ready, metrics);
  const auto port = first.start({"127.0.0.1", 0});
  REQUIRE(port.has_value());
  const auto taken = second.start({"127.0.0.1", *port});
  REQUIRE_FALSE(taken.has_value());
  CHECK(taken.error().code == "listen_failed");
  CHECK_FALSE(ops_server(ready, metrics).start({"192.0.2.1", 0}).has_value());
}

TEST_CASE("stopped right after its start, it stops") {
  readiness ready{};
  metrics_registry metrics;
  for (int i = 0; i < 20; ++i) {
    ops_server server(ready, metrics);
    REQUIRE(server.start({"127.0.0.1", 0}).has_value());
  }
}
