#pragma once
// A bridge at work for a test: the service without its main, on a real NATS, with an agent made of bytes and a fake
// owner.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "common/io/nats/nats_asio.hpp"
#include "services/agent-bridge/shell/bridge.hpp"
#include "tests/support/servers.hpp"
#include "tests/unit/agent-bridge/shell/fake_owner.hpp"
#include "tests/unit/io/net/raw_client.hpp"

namespace throughline::testing {

inline const session_id my_session("ses_01hzzzzzzzzzzzzzzzzzzzzzzz");
inline const std::string token = "ha-secret";
inline const std::string with_token = "Authorization: Bearer " + token + "\r\n";
inline const std::string target = "/api/v1/external-agents/sync?session_id=" + my_session.text();

/// The service without its main: same parts, ports of the kernel's choice.
struct world {
  explicit world(std::size_t upgrades_max = 512) : upgrades_max_(upgrades_max) { start(); }
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  std::size_t upgrades_max_;
  nats_server nats;
  ops::metrics_registry metrics;
  io::event_loop loop;
  std::unique_ptr<io::nats_link> link =
      io::make_nats_link(loop.context(), {.urls = nats.url(), .creds_file = {}, .name = "agent-bridge", .wake = {}});
  agent_bridge::probe counts{metrics};
  std::shared_ptr<agent_bridge::bridge> bridge = std::make_shared<agent_bridge::bridge>(
      loop, *link, counts,
      agent_bridge::bridge_settings{
          .frame_bytes_max = 1 << 20, .entry_bytes_max = 1 << 16, .upgrades_max = upgrades_max_});
  std::unique_ptr<io::http_server> server = std::make_unique<io::http_server>(loop, bridge);
  std::uint16_t port = server->listen("127.0.0.1", 0).value();
  std::thread thread;

  void start() {
    link->on_connected([this] { bridge->wire_restored(); });
    link->start();
    thread = std::thread([this] { loop.run(); });
    CHECK(eventually([this] { return link->connected(); }));
  }
  ~world() {
    on_loop([this] { server->stop_accepting(); });
    loop.post([this] { loop.spawn(end()); });
    thread.join();
  }
  boost::asio::awaitable<void> end() {
    server->cut_all();
    co_await server->wait_idle(std::chrono::seconds(5));
    server.reset();
    link.reset();
    loop.stop();
  }
  void on_loop(const std::function<void()>& what) {
    std::atomic<bool> done = false;
    loop.post([&] {
      what();
      done = true;
    });
    while (!done) std::this_thread::yield();
  }
};

struct attached_world : world {
  fake_owner owner{nats.url()};
  raw_client agent{port};

  explicit attached_world(const std::string& more_target = "", const std::string& more_headers = "") {
    owner.allow(token, my_session);
    CHECK(eventually([this] { return owner.connected(); }));
    head = agent.upgrade(target + more_target, with_token + more_headers);
    CHECK(head.starts_with("HTTP/1.1 101"));
  }
  std::string head;  ///< of the answer to the upgrade
  fake_owner::known_attachment known() { return owner.attachments().back().second; }
  attachment_id id() { return owner.attachments().back().first; }
  void say(const std::string& content) {
    agent.send_text(R"({"event_type":"message_added","data":{"acp_thread_id":"t","message_id":"1","role":"assistant",)"
                    R"("content":")" +
                    content + R"("}})");
  }
  double shown(const std::string& metric) {
    const auto text = metrics.render();
    const auto name = "\nthroughline_agent_bridge_" + metric + " ";
    const auto at = text.find(name);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size()));
  }
  void complete() {
    agent.send_text(R"({"event_type":"message_completed","data":{"acp_thread_id":"t","message_id":"0"}})");
  }
};

}  // namespace throughline::testing
