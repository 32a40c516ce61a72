// The bridge on a real NATS, between a stock agent made of bytes and a fake owner.

#include "services/agent-bridge/shell/bridge.hpp"

#include <atomic>
#include <thread>

#include <doctest/doctest.h>

#include "common/io/nats/nats_asio.hpp"
#include "tests/support/servers.hpp"
#include "tests/unit/agent-bridge/shell/fake_owner.hpp"
#include "tests/unit/io/net/raw_client.hpp"

using namespace throughline;
using throughline::testing::fake_owner;
using throughline::testing::nats_server;
using throughline::testing::raw_client;

namespace {

const session_id my_session("ses_01hzzzzzzzzzzzzzzzzzzzzzzz");
const std::string token = "ha-secret";
const std::string with_token = "Authorization: Bearer " + token + "\r\n";
const std::string target = "/api/v1/external-agents/sync?session_id=" + my_session.text();

bool eventually(const std::function<bool()>& holds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(15);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

/// The service without its main: same parts, ports of the kernel's choice.
struct world {
  nats_server nats;
  ops::metrics_registry metrics;
  io::event_loop loop;
  std::unique_ptr<io::nats_link> link =
      io::make_nats_link(loop.context(), {.urls = nats.url(), .creds_file = {}, .name = "agent-bridge", .wake = {}});
  agent_bridge::probe counts{metrics};
  std::shared_ptr<agent_bridge::bridge> bridge = std::make_shared<agent_bridge::bridge>(
      loop, *link, counts, agent_bridge::bridge_settings{.frame_bytes_max = 1 << 20, .entry_bytes_max = 1 << 16});
  std::unique_ptr<io::http_server> server = std::make_unique<io::http_server>(loop, bridge);
  std::uint16_t port = server->listen("127.0.0.1", 0).value();
  std::thread thread;

  world() {
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

  attached_world() {
    owner.allow(token, my_session);
    CHECK(eventually([this] { return owner.connected(); }));
    CHECK(agent.upgrade(target, with_token).starts_with("HTTP/1.1 101"));
  }
  fake_owner::known_attachment known() { return owner.attachments().back().second; }
  attachment_id id() { return owner.attachments().back().first; }
  void say(const std::string& content) {
    agent.send_text(R"({"event_type":"message_added","data":{"acp_thread_id":"t","message_id":"1","role":"assistant",)"
                    R"("content":")" +
                    content + R"("}})");
  }
  void complete() {
    agent.send_text(R"({"event_type":"message_completed","data":{"acp_thread_id":"t","message_id":"0"}})");
  }
};

}  // namespace

TEST_CASE("who may not attach is told so before the upgrade") {
  world w;
  fake_owner owner(w.nats.url());
  owner.allow(token, my_session);
  REQUIRE(eventually([&] { return owner.connected(); }));
  const auto answer = [&](const std::string& where, const std::string& headers) {
    return raw_client(w.port).upgrade(where, headers).substr(9, 3);
  };
  CHECK(answer(target, "") == "401");
  CHECK(answer(target, "Authorization: Bearer ha-other\r\n") == "401");
  CHECK(answer(target, "Authorization: Bearer hl-key\r\n") == "401");
  CHECK(answer("/api/v1/external-agents/sync", with_token) == "400");
  CHECK(answer("/api/v1/external-agents/sync?session_id=ses_x", with_token) == "404");
  CHECK(answer("/other", with_token) == "404");
  owner.refuse_next_attach({409, "attach_storm", 30});
  raw_client storm(w.port);
  const auto refused = storm.upgrade(target, with_token);
  CHECK(refused.starts_with("HTTP/1.1 409"));
  CHECK(refused.find("Retry-After: 30") != std::string::npos);
  CHECK(owner.attachments().empty());
  CHECK(answer("/api/v1/external-agents/sync?agent_id=" + my_session.text(), with_token) == "101");
}

TEST_CASE("nobody to ask is 503, in time") {
  world w;
  raw_client agent(w.port);
  CHECK(agent.upgrade(target, with_token).starts_with("HTTP/1.1 503"));
}

TEST_CASE("what an agent says reaches the owner, in order; what it is told reaches the agent once") {
  attached_world w;
  w.say("hel");
  w.say("hello");
  w.complete();
  CHECK(eventually([&] { return w.known().others.size() == 1; }));
  CHECK(w.known().entries["1"] == "hello");

  const write_command command{
      w.id(), command_id("cmd_1"),
      agent::chat_message{.message = "do it", .request = request_id("int_1"), .session = my_session}};
  CHECK(w.owner.order(w.known().bridge, command) == order_outcome::written);
  CHECK(w.owner.order(w.known().bridge, command) == order_outcome::written);
  const auto frame = w.agent.next_data();
  CHECK(frame->payload.find(R"("message":"do it")") != std::string::npos);
  auto other = command;
  other.attachment = attachment_id("att_x");
  CHECK(w.owner.order(w.known().bridge, other) == order_outcome::unknown);
  w.agent.send_text("{}");  // the next frame is its complaint: the command came once
  CHECK(w.agent.next_data()->payload.find("bad_frame") != std::string::npos);
}

TEST_CASE("bad frames are answered and skipped; the socket goes on") {
  attached_world w;
  for (const auto* bad : {"{", "[]", "7", R"({"event_type":"message_added","data":[]})",
                          R"({"event_type":"message_added","data":{"message_id":"1"}})"}) {
    CAPTURE(bad);
    w.agent.send_text(bad);
    const auto complaint = w.agent.next_data();
    REQUIRE(complaint);
    CHECK(complaint->payload.find(R"("type":"error")") != std::string::npos);
    CHECK(complaint->payload.find(R"("code":"bad_frame")") != std::string::npos);
  }
  w.agent.send(raw_client::frame(2, "binary"));
  CHECK(w.agent.next_data()->payload.find("bad_frame") != std::string::npos);
  w.agent.send_text(R"({"event_type":"ui_state_response","data":{}})");
  w.complete();
  CHECK(eventually([&] { return w.known().others.size() == 1; }));
  CHECK(w.known().cursor == 1);
  const auto shown = w.metrics.render();
  CHECK(shown.find("throughline_agent_bridge_bad_frames_total 6") != std::string::npos);
  CHECK(shown.find("throughline_agent_bridge_unknown_events_total 1") != std::string::npos);
  CHECK(shown.find("throughline_agent_bridge_sockets 1") != std::string::npos);
}

TEST_CASE("a hundred bad frames close with 1008, an oversize one with 1009, broken text with 1007") {
  {
    attached_world w;
    for (int i = 0; i < 100; ++i) w.agent.send_text("{");
    auto got = w.agent.next_data();
    while (got && got->opcode == 1) got = w.agent.next_data();
    REQUIRE(got);
    CHECK(got->close_code() == 1008);
    CHECK(eventually([&] { return w.known().detached.has_value(); }));
  }
  {
    attached_world w;
    w.complete();
    w.agent.send_text(std::string((1 << 20) + 1, ' '));
    const auto got = w.agent.next_data();
    CHECK(got->close_code() == 1009);
    CHECK_FALSE(got->close_reason().empty());
    CHECK(eventually([&] { return w.known().detached == 1; }));
  }
  attached_world w;
  w.agent.send_text("\xff");
  CHECK(w.agent.next_data()->close_code() == 1007);
}

TEST_CASE("the agent goes: what was read is handed over, then detached") {
  attached_world w;
  for (int i = 0; i < 50; ++i) w.complete();
  w.agent.end();
  CHECK(eventually([&] { return w.known().detached.has_value(); }));
  CHECK(*w.known().detached == 50);
  CHECK(w.known().others.size() == 50);
  CHECK(eventually([&] {
    std::size_t left = 1;
    w.on_loop([&] { left = w.bridge->attachments(); });
    return left == 0;
  }));
}

TEST_CASE("NATS dies and comes back: nothing is lost, and nobody has to do anything") {
  attached_world w;
  std::string text = "x";
  w.say(text);
  CHECK(eventually([&] { return w.known().cursor == 1; }));
  w.nats.kill();
  for (int i = 0; i < 40; ++i) {
    text += std::to_string(i);
    w.say(text);
    w.complete();
  }
  w.nats.start();
  CHECK(eventually([&] { return w.known().others.size() == 40; }));
  CHECK(w.known().entries["1"] == text);
  const write_command command{w.id(), command_id("cmd_2"), agent::cancel_current_turn{.session = my_session}};
  CHECK(eventually([&] { return w.owner.order(w.known().bridge, command) == order_outcome::written; }));
  CHECK(w.agent.next_data()->payload.find("cancel_current_turn") != std::string::npos);
}

TEST_CASE("with the owner away the bridge keeps 8 MiB of an agent and then holds it back; later everything arrives") {
  attached_world w;
  w.nats.kill();
  constexpr int entries = 500;
  const std::string content(60'000, 'x');
  std::atomic<bool> all_sent = false;
  std::thread sender([&] {
    bool good = true;
    for (int i = 0; i < entries && good; ++i) {
      good = w.agent.send_text(R"({"event_type":"message_added","data":{"acp_thread_id":"t","message_id":")" +
                               std::to_string(i) + R"(","role":"assistant","content":")" + content + R"("}})");
    }
    all_sent = good;
  });
  const auto kept = [&] {
    const std::string name = "\nthroughline_agent_bridge_outbox_bytes ";
    const auto shown = w.metrics.render();
    return std::stod(shown.substr(shown.find(name) + name.size()));
  };
  CHECK(eventually([&] { return kept() >= 8 << 20; }));
  CHECK(kept() < (8 << 20) + 100'000);
  CHECK_FALSE(all_sent);
  w.nats.start();
  sender.join();
  CHECK(all_sent);
  CHECK(eventually([&] { return w.known().cursor == entries; }));
  const auto known = w.known();
  CHECK(known.entries.size() == entries);
  CHECK(known.entries.at("499") == content);
  CHECK(eventually([&] { return kept() == 0; }));
}

TEST_CASE("an owner that lost the attachment gets it again, and the frames go on where they were") {
  attached_world w;
  w.say("one");
  CHECK(eventually([&] { return w.known().cursor == 1; }));
  const auto id = w.id();
  w.owner.forget(id);
  w.say("one two");
  CHECK(eventually([&] { return !w.owner.attachments().empty() && w.known().entries["1"] == "one two"; }));
  CHECK(w.id() == id);
  CHECK(w.known().cursor == 2);
}

TEST_CASE("superseded: sealed with the last number, then 4001") {
  attached_world w;
  w.complete();
  CHECK(eventually([&] { return w.known().cursor == 1; }));
  CHECK(w.owner.order(w.known().bridge, supersede{w.id()}) == order_outcome::written);
  CHECK(w.agent.next_data()->close_code() == 4001);
  CHECK(w.known().sealed == 1);
}

TEST_CASE("drain: what was read is handed over, sockets close with 1001, new agents get 503") {
  attached_world w;
  w.complete();
  CHECK(eventually([&] { return w.known().cursor == 1; }));
  std::atomic<int> drained = -1;
  const auto drain = [](world& of, std::atomic<int>& done) -> boost::asio::awaitable<void> {
    done = co_await of.bridge->drain(std::chrono::steady_clock::now() + std::chrono::seconds(10)) ? 1 : 0;
  };
  w.on_loop([&] { w.loop.spawn(drain(w, drained)); });
  CHECK(w.agent.next_data()->close_code() == 1001);
  CHECK(eventually([&] { return drained == 1; }));
  CHECK(w.known().detached == 1);
  CHECK(raw_client(w.port).upgrade(target, with_token).starts_with("HTTP/1.1 503"));
}
