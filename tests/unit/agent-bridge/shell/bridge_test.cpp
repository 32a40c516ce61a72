// The bridge on a real NATS, between a stock agent made of bytes and a fake owner.

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/agent-bridge/shell/bridge_world.hpp"

using namespace throughline;
using namespace throughline::testing;

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

TEST_CASE("agents of one shard are renewed by one message; one that its owner does not know attaches again") {
  world w;
  fake_owner owner(w.nats.url());
  REQUIRE(eventually([&] { return owner.connected(); }));
  std::vector<std::unique_ptr<raw_client>> agents;
  for (char n = 'a'; n < 'a' + 5; ++n) {
    auto id = my_session.text();
    id[10] = n;
    const auto its_token = token + n;
    owner.allow(its_token, session_id(id));
    agents.push_back(std::make_unique<raw_client>(w.port));
    const auto head = agents.back()->upgrade("/api/v1/external-agents/sync?session_id=" + id,
                                             "Authorization: Bearer " + its_token + "\r\n");
    REQUIRE(head.starts_with("HTTP/1.1 101"));
  }
  const auto attached = owner.attachments();
  REQUIRE(attached.size() == 5);
  const auto lost = attached.front().first;
  owner.forget(lost);
  CHECK(eventually([&] {
    const auto now = owner.attachments();
    return now.size() == 5 &&
           std::ranges::all_of(now, [&](const auto& a) { return a.first == lost || a.second.renewals == 1; });
  }));
  CHECK(owner.renewal_messages() == 1);
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
