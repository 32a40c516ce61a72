// A bridge that goes away, and one that has enough to do already.

#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/agent-bridge/shell/bridge_world.hpp"

using namespace throughline;
using namespace throughline::testing;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// Started on the loop; 1: everything was handed over, 0: not.
void begin_drain(world& of, std::atomic<int>& done, std::chrono::steady_clock::duration time) {
  const auto drain = [](world& w, std::atomic<int>& result, auto longest) -> boost::asio::awaitable<void> {
    result = co_await w.bridge->drain(std::chrono::steady_clock::now() + longest) ? 1 : 0;
  };
  of.on_loop([&] { of.loop.spawn(drain(of, done, time)); });
}

std::string entry_frame(int number) {
  return R"({"event_type":"message_added","data":{"acp_thread_id":"t","message_id":")" + std::to_string(number) +
         R"(","role":"assistant","content":"word"}})";
}

}  // namespace

TEST_CASE("drain: told to go, heard until it has read that, handed over, detached; new agents get 503") {
  attached_world w;
  w.complete();
  CHECK(eventually([&] { return w.known().cursor == 1; }));
  std::atomic<int> drained = -1;
  begin_drain(w, drained, seconds(10));
  const auto close = w.agent.next_data();
  CHECK(close->close_code() == 1001);
  CHECK_FALSE(w.known().detached.has_value());
  for (int i = 0; i < 30; ++i) w.agent.send_text(entry_frame(i));  // said before it knew
  w.complete();
  w.agent.send(raw_client::frame(8, "\x03\xe9"));
  CHECK(eventually([&] { return drained == 1; }));
  CHECK(w.known().detached == 32);
  CHECK(w.known().entries.size() == 30);
  CHECK(w.known().others.size() == 2);
  CHECK(raw_client(w.port).upgrade(target, with_token).starts_with("HTTP/1.1 503"));
}

TEST_CASE("drain: an agent that does not go is heard only so long") {
  attached_world w;
  std::atomic<int> drained = -1;
  begin_drain(w, drained, milliseconds(800));
  w.complete();
  CHECK(eventually([&] { return drained >= 0; }));
  CHECK(drained == 1);
  CHECK(w.known().detached == 1);
}

TEST_CASE("drain without an owner: the agent is told all the same") {
  attached_world w;
  w.nats.kill();
  w.complete();
  std::atomic<int> drained = -1;
  begin_drain(w, drained, milliseconds(800));
  CHECK(w.agent.next_data()->close_code() == 1001);
  w.agent.end();
  CHECK(eventually([&] { return drained == 0; }));
}

TEST_CASE("drain: many agents are told one after the other") {
  attached_world w;
  constexpr int more = 24;
  std::vector<std::unique_ptr<raw_client>> agents;
  for (int i = 0; i < more; ++i) {
    agents.push_back(std::make_unique<raw_client>(w.port));
    REQUIRE(agents.back()->upgrade(target, with_token).starts_with("HTTP/1.1 101"));
  }
  std::atomic<int> drained = -1;
  const auto began = std::chrono::steady_clock::now();
  begin_drain(w, drained, seconds(10));
  std::atomic<int> told = 0;
  std::vector<std::chrono::steady_clock::duration> when(more);
  std::vector<std::thread> ears;
  for (int i = 0; i < more; ++i) {
    ears.emplace_back([&, i] {
      const auto got = agents[static_cast<std::size_t>(i)]->next_data();
      when[static_cast<std::size_t>(i)] = std::chrono::steady_clock::now() - began;
      if (got && got->close_code() == 1001) ++told;
      agents[static_cast<std::size_t>(i)]->end();
    });
  }
  w.agent.end();
  for (auto& one : ears) one.join();
  CHECK(told == more);
  std::ranges::sort(when);
  CHECK(when.back() - when.front() >= milliseconds(20 * (more - 2)));
  CHECK(when[more / 2] - when.front() >= milliseconds(20 * (more / 2 - 2)));
  CHECK(eventually([&] { return drained == 1; }));
}

TEST_CASE("more agents at once than are let in: 503, and when to come again") {
  world w(2);
  fake_owner owner(w.nats.url());
  owner.allow(token, my_session);
  REQUIRE(eventually([&] { return owner.connected(); }));
  owner.fall_silent();
  std::vector<std::thread> waiting;
  std::atomic<int> let_in = 0;
  for (int i = 0; i < 2; ++i) {
    waiting.emplace_back([&] { let_in += raw_client(w.port).upgrade(target, with_token).starts_with("HTTP/1.1 101"); });
  }
  const auto refused = [&] {
    raw_client one_more(w.port);
    one_more.send("GET " + target +
                  " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                  with_token + "\r\n");
    return one_more.response();
  };
  std::string answer;
  REQUIRE(eventually([&] {
    std::size_t under_way = 0;
    w.on_loop([&] { under_way = w.bridge->upgrades_under_way(); });
    return under_way == 2;
  }));
  answer = refused();
  CHECK(answer.starts_with("HTTP/1.1 503"));
  const auto at = answer.find("Retry-After: ");
  REQUIRE(at != std::string::npos);
  const int after = std::stoi(answer.substr(at + 13));
  CHECK(after >= 1);
  CHECK(after <= 5);
  owner.fall_silent(false);
  for (auto& one : waiting) one.join();
  CHECK(let_in == 2);
  CHECK(raw_client(w.port).upgrade(target, with_token).starts_with("HTTP/1.1 101"));
}
