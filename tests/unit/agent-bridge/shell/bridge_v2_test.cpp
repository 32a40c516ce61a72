// Agents that number what they say, on the wire.

#include <doctest/doctest.h>

#include "tests/unit/agent-bridge/shell/bridge_world.hpp"

using namespace throughline;
using namespace throughline::testing;

namespace {

const std::string v2_header = "Sec-WebSocket-Protocol: throughline.agent.v2\r\n";

struct v2_world : attached_world {
  v2_world() : attached_world("&instance=life-1", v2_header) {}

  static void complete(raw_client& as, int number) {
    as.send_text(R"({"seq":)" + std::to_string(number) +
                 R"(,"event_type":"message_completed","data":{"acp_thread_id":"t","message_id":"0"}})");
  }
  /// The acks of a socket up to this one, which must come, in rising order.
  static void acknowledged(raw_client& as, int number) {
    int last = -1;
    while (last < number) {
      const auto got = as.next_data();
      REQUIRE(got);
      REQUIRE(got->payload.starts_with(R"({"type":"ack","data":{"seq":)"));
      const int now = std::stoi(got->payload.substr(28));
      CHECK(now > last);
      last = now;
    }
    CHECK(last == number);
  }
};

}  // namespace

TEST_CASE("v2 is negotiated, and needs an instance") {
  world w;
  fake_owner owner(w.nats.url());
  owner.allow(token, my_session);
  REQUIRE(eventually([&] { return owner.connected(); }));
  const auto answer = [&](const std::string& more, const std::string& headers) {
    return raw_client(w.port).upgrade(target + more, headers);
  };
  CHECK(answer("", with_token + v2_header).starts_with("HTTP/1.1 400"));
  CHECK(answer("&instance=", with_token + v2_header).starts_with("HTTP/1.1 400"));
  CHECK(answer("&instance=" + std::string(257, 'x'), with_token + v2_header).starts_with("HTTP/1.1 400"));
  CHECK(answer("&instance=%01", with_token + v2_header).starts_with("HTTP/1.1 400"));
  CHECK(answer("", v2_header).starts_with("HTTP/1.1 401"));
  CHECK(owner.attachments().empty());
  const auto granted = answer("&instance=a", with_token + "Sec-WebSocket-Protocol: other, throughline.agent.v2\r\n");
  CHECK(granted.starts_with("HTTP/1.1 101"));
  CHECK(granted.find("Sec-WebSocket-Protocol: throughline.agent.v2") != std::string::npos);
  const auto stock = answer("&instance=a", with_token + "Sec-WebSocket-Protocol: other\r\n");
  CHECK(stock.starts_with("HTTP/1.1 101"));
  CHECK(stock.find("Sec-WebSocket-Protocol") == std::string::npos);
  CHECK(owner.attachments().front().second.instance == "a");
  CHECK_FALSE(owner.attachments().back().second.instance);
}

TEST_CASE("resume first, acks after the commit, and a new socket goes on where the last one was committed") {
  v2_world w;
  CHECK(w.agent.next_data()->payload == R"({"type":"resume","data":{"epoch":1,"seq":0}})");
  v2_world::complete(w.agent, 1);
  v2_world::acknowledged(w.agent, 1);
  w.agent.send_text(R"({"seq":2,"event_type":"ping","data":{}})");
  w.agent.send_text(R"({"seq":3,"event_type":"never_heard_of","data":{}})");
  v2_world::complete(w.agent, 4);
  v2_world::acknowledged(w.agent, 4);
  CHECK(w.owner.committed("life-1") == 4);
  CHECK(w.known().others.size() == 2);

  raw_client next(w.port);
  CHECK(next.upgrade(target + "&instance=life-1", with_token + v2_header).starts_with("HTTP/1.1 101"));
  CHECK(next.next_data()->payload == R"({"type":"resume","data":{"epoch":1,"seq":4}})");
  v2_world::complete(next, 4);  // said again without need
  v2_world::acknowledged(next, 4);
  v2_world::complete(next, 5);
  v2_world::acknowledged(next, 5);
  CHECK(w.known().others.size() == 1);
  CHECK(w.shown("repeated_frames_total") == 1);

  raw_client other(w.port);
  CHECK(other.upgrade(target + "&instance=life-2", with_token + v2_header).starts_with("HTTP/1.1 101"));
  CHECK(other.next_data()->payload == R"({"type":"resume","data":{"epoch":1,"seq":0}})");
}

TEST_CASE("an agent in full flow gets few acks, and the last of them") {
  v2_world w;
  w.agent.next_data();
  for (int i = 1; i <= 2'000; ++i) v2_world::complete(w.agent, i);
  v2_world::acknowledged(w.agent, 2'000);
  CHECK(w.known().others.size() == 2'000);
  CHECK(w.shown("acks_total") < 200);
}

TEST_CASE("a gap closes 1008; what was lost for good is counted") {
  v2_world w;
  w.agent.next_data();
  v2_world::complete(w.agent, 6);
  v2_world::acknowledged(w.agent, 6);
  CHECK(w.shown("skipped_frames_total") == 5);
  v2_world::complete(w.agent, 8);
  CHECK(w.agent.next_data()->close_code() == 1008);
  w.agent.end();
  CHECK(eventually([&] { return w.known().detached.has_value(); }));
  CHECK(w.owner.committed("life-1") == 6);
}

TEST_CASE("bad frames of a v2 agent are answered and skipped, with and without a number") {
  v2_world w;
  w.agent.next_data();
  const auto complaint = [&](const std::string& of) {
    w.agent.send_text(of);
    auto got = w.agent.next_data();
    while (got && got->payload.starts_with(R"({"type":"ack")")) got = w.agent.next_data();
    REQUIRE(got);
    CHECK(got->payload.find("bad_frame") != std::string::npos);
  };
  complaint(R"({"seq":1,"event_type":"message_added","data":[]})");
  complaint(R"({"event_type":"ping","data":{}})");
  complaint(R"({"seq":"2","event_type":"ping","data":{}})");
  complaint(R"({"seq":0,"event_type":"ping","data":{}})");
  complaint("{");
  v2_world::complete(w.agent, 2);
  CHECK(eventually([&] { return w.owner.committed("life-1") == 2; }));
  CHECK(w.known().others.size() == 1);
}
