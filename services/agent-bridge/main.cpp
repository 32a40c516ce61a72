// agent-bridge: owns agent sockets. Reads settings, builds the parts, runs.

#include <chrono>
#include <cstdint>
#include <memory>

#include <fmt/format.h>

#include "common/io/nats/nats_asio.hpp"
#include "common/io/net/event_loop.hpp"
#include "common/io/net/http_server.hpp"
#include "common/ops/health.hpp"
#include "common/ops/log.hpp"
#include "common/ops/metrics.hpp"
#include "common/ops/ops_server.hpp"
#include "common/ops/settings.hpp"
#include "common/ops/shutdown.hpp"
#include "services/agent-bridge/shell/bridge.hpp"
#include "services/agent-bridge/shell/probe.hpp"

namespace {

using namespace throughline;

ops::settings read_settings(int argc, char** argv) {
  ops::setting_table table("agent-bridge", "Holds the WebSockets of agents and hands over what they say.");
  table.common("0.0.0.0:9081");
  table.address("listen", "0.0.0.0:8081", "public port, host:port");
  table.size("max-frame", "64MiB", "longest frame of an agent; a larger one closes its socket with 1009");
  table.size("max-entry", "8MiB", "longest content of an entry; what is longer is cut and marked");
  table.above_zero("max-frame");
  table.above_zero("max-entry");
  return table.read_or_exit(argc, argv);
}

/// Stops taking, finishes what was taken, and ends the loop.
boost::asio::awaitable<void> shut_down(io::event_loop& loop, io::http_server& server, agent_bridge::bridge& bridge,
                                       std::chrono::milliseconds drain_timeout) {
  // What is left of the time after the drain is for the process to end in.
  const auto deadline = std::chrono::steady_clock::now() + drain_timeout * 8 / 10;
  server.stop_accepting();
  const bool handed_over = co_await bridge.drain(deadline);
  const auto left = deadline - std::chrono::steady_clock::now();
  const bool closed = co_await server.wait_idle(std::chrono::duration_cast<std::chrono::milliseconds>(left));
  ops::log::info("drained", {{"handed_over", handed_over}, {"sockets_closed", closed}});
  loop.stop();
}

}  // namespace

int main(int argc, char** argv) {
  ops::shutdown_signal stop;
  const auto settings = read_settings(argc, argv);
  ops::log::configure("agent-bridge", ops::log::level_of(settings.text("log-level")),
                      ops::log::format_of(settings.text("log-format")));
  ops::metrics_registry metrics;
  ops::readiness ready{"nats", "serving"};
  ops::ops_server operations(ready, metrics);
  io::event_loop loop([](std::string_view what) { ops::log::error("task_failed", {{"what", what}}); });
  const auto link =
      io::make_nats_link(loop.context(), {.urls = fmt::format("{}", fmt::join(settings.list("nats-url"), ",")),
                                          .creds_file = settings.text("nats-creds"),
                                          .name = "agent-bridge"});
  agent_bridge::probe counts(metrics);
  const auto bridge = std::make_shared<agent_bridge::bridge>(
      loop, *link, counts,
      agent_bridge::bridge_settings{.frame_bytes_max = settings.size("max-frame"),
                                    .entry_bytes_max = settings.size("max-entry")});
  io::http_server server(loop, bridge);
  link->on_connected([&] {
    ops::log::info("nats_connected");
    ready.met("nats");
    bridge->wire_restored();
  });
  link->on_disconnected([&] {
    ops::log::warn("nats_disconnected");
    ready.unmet("nats", "not connected");
    bridge->wire_lost();
  });
  link->on_refused([&](const std::string& why) { ready.unmet("nats", why); });

  const auto port = server.listen(settings.address("listen").host, settings.address("listen").port);
  const auto ops_port = operations.start(settings.address("ops-listen"));
  for (const auto* opened : {&port, &ops_port}) {
    if (*opened) continue;
    ops::log::error("listen_failed", {{"why", opened->error().message}});
    return 1;
  }
  link->start();
  ready.met("serving");
  ops::log::info("listening", {{"port", *port}, {"ops_port", *ops_port}});
  const auto drain_timeout = settings.duration("drain-timeout");
  stop.limit(drain_timeout);
  stop.on_request([&] {
    ready.unmet("serving", "draining");
    loop.post([&] { loop.spawn(shut_down(loop, server, *bridge, drain_timeout)); });
  });
  loop.run();
  stop.on_request({});
  operations.stop();
  ops::log::info("stopped");
  ops::log::stop();
  return 0;
}
