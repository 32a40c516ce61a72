#include <doctest/doctest.h>

#include "common/codec/requests.hpp"

using namespace throughline;
using namespace throughline::codec;

namespace {

const session_id ses("ses_01h2xcejqtf2nbrexx3vqjhp41");
const access_list access{user_id("alice"), {{user_id("bob"), role::editor}, {user_id("eve"), role::viewer}}, 3};

template <class T>
T back(const reply& r) {
  const auto decoded = decode_reply(encode(r, 5));
  if (!decoded) FAIL(decoded.error().message);
  CHECK(decoded->epoch == 5);
  REQUIRE(std::holds_alternative<T>(decoded->what));
  return std::get<T>(decoded->what);
}

template <class T>
T back(const reading& r) {
  const auto decoded = decode_reading(encode(r, 5));
  if (!decoded) FAIL(decoded.error().message);
  CHECK(decoded->epoch == 5);
  REQUIRE(std::holds_alternative<T>(decoded->what));
  return std::get<T>(decoded->what);
}

}  // namespace

TEST_CASE("replies survive the wire, bodies as raw bytes") {
  CHECK(back<deferred>(reply(deferred{deferral::not_owner, 50})).why == deferral::not_owner);
  const auto a = back<answer>(reply(answer{202, "{\"x\":\"\\n\"}\nmore"}));
  CHECK(a.status == 202);
  CHECK(a.body == "{\"x\":\"\\n\"}\nmore");
  CHECK(back<answer>(reply(answer{204, ""})).body.empty());
  CHECK(back<attached>(reply(attached{ses, 7})).number == 7);
  const auto refused = back<attach_refused>(reply(attach_refused{409, "flapping", 10}));
  CHECK(refused.code == "flapping");
  CHECK(refused.retry_after_s == 10);
  for (int s = 0; s <= static_cast<int>(hand_over_status::refused); ++s) {
    const auto status = static_cast<hand_over_status>(s);
    const auto r = back<hand_over_result>(reply(hand_over_result{status, 12, "poison"}));
    CHECK(r.status == status);
    CHECK(r.number == 12);
    CHECK(r.code == "poison");
  }
  const auto n = back<noted>(reply(noted{false, true}));
  CHECK_FALSE(n.known);
  CHECK(n.superseded);
  CHECK(back<renewed>(reply(renewed{})).except.empty());
  const renewed but{{{attachment_id("att_1"), renewal_fault::unknown},
                     {attachment_id("att_2"), renewal_fault::superseded},
                     {attachment_id("att_3"), renewal_fault::deferred}}};
  const auto told = back<renewed>(reply(but));
  REQUIRE(told.except.size() == 3);
  CHECK(told.except[0].attachment == attachment_id("att_1"));
  for (std::size_t i = 0; i < 3; ++i) CHECK(told.except[i].why == but.except[i].why);
}

TEST_CASE("readings survive the wire") {
  session_reading s{true, {1, 42}, access, "{\"type\":\"session_update\"}", "{\"type\":\"interaction_patch\"}"};
  s.known_position = false;
  auto r = back<session_reading>(reading(s));
  CHECK(r.found);
  CHECK(r.head == position{1, 42});
  CHECK(r.access.owner == user_id("alice"));
  CHECK(r.access.version == 3);
  REQUIRE(r.access.grants.size() == 2);
  CHECK(r.access.grants[0].what == role::editor);
  CHECK(r.body == s.body);
  CHECK(r.baseline == s.baseline);
  CHECK_FALSE(r.known_position);
  CHECK(r.complete);
  CHECK_FALSE(r.inner);
  s.inner = turn_place{.began = 7, .ended = {1, 9}, .queued = true};
  r = back<session_reading>(reading(s));
  REQUIRE(r.inner);
  CHECK(r.inner->began == 7);
  CHECK(r.inner->ended == position{1, 9});
  CHECK(r.inner->queued);

  r = back<session_reading>(reading(session_reading{}));
  CHECK_FALSE(r.found);
  CHECK(r.head == position{});
  CHECK(r.body.empty());

  const auto heads = back<std::vector<head_reading>>(
      reading(std::vector<head_reading>{{ses, true, {2, 9}, access, ses}, {ses, false, {}, {}}}));
  REQUIRE(heads.size() == 2);
  CHECK(heads[0].head == position{2, 9});
  CHECK(heads[0].access.grants.size() == 2);
  CHECK(heads[0].root == ses);
  CHECK_FALSE(heads[1].found);
  const auto active = back<activity_reading>(reading(activity_reading{true, true, millis(1500)}));
  CHECK(active.found);
  CHECK(active.attached);
  CHECK(active.age == millis(1500));
  CHECK_FALSE(back<activity_reading>(reading(activity_reading{})).age);
  CHECK(back<list_reading>(reading(list_reading{"{}"})).body == "{}");
  CHECK(back<list_reading>(reading(list_reading{"{}"})).complete);
  CHECK_FALSE(back<list_reading>(reading(list_reading{{}, false})).complete);
  CHECK(back<owner_reading>(reading(owner_reading{true, "alice"})).owner == "alice");
  CHECK(back<deferred>(reading(deferred{deferral::busy, 9})).after_ms == 9);
}

TEST_CASE("a reply is an envelope line and bytes behind it") {
  CHECK(encode(reply(answer{200, "{\"id\":1}"}), 1) ==
        "{\"epoch\":1,\"op\":\"answer\",\"status\":200,\"body_bytes\":8,\"rest_bytes\":0}\n{\"id\":1}");
  CHECK(encode(reply(noted{}), 1) == R"({"epoch":1,"op":"noted","known":true,"superseded":false})");
}

TEST_CASE("a reply that is wrong is an error") {
  for (const char* text :
       {"", "{}", R"({"epoch":1})", R"({"epoch":1,"op":"what"})", R"({"epoch":-1,"op":"noted","known":true})",
        R"({"op":"noted","known":true,"superseded":false})", R"({"epoch":1,"op":"noted","known":1,"superseded":false})",
        "{\"epoch\":1,\"op\":\"answer\",\"status\":200,\"body_bytes\":9,\"rest_bytes\":0}\nshort",
        "{\"epoch\":1,\"op\":\"answer\",\"status\":200,\"body_bytes\":1,\"rest_bytes\":0}\nlong",
        "{\"epoch\":1,\"op\":\"answer\",\"status\":200}\nunannounced",
        "{\"epoch\":1,\"op\":\"answer\",\"status\":200,\"body_bytes\":4}\nbody"}) {
    CAPTURE(text);
    const auto r = decode_reply(text);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == "bad_message");
  }
  CHECK_FALSE(decode_reading(R"({"epoch":1,"op":"noted","known":true,"superseded":false})"));
}

TEST_CASE("orders to a bridge, and what became of them") {
  const agent::chat_message chat{.message = "hi",
                                 .request = request_id("int_1"),
                                 .interaction = interaction_id("int_1"),
                                 .thread = thread_id("t"),
                                 .session = ses};
  const bridge_order orders[] = {
      write_command{attachment_id("att_1"), command_id("cmd_1"), chat},
      write_command{attachment_id("att_1"), command_id("cmd_2"),
                    agent::open_thread{thread_id("t"), request_id("req_1"), "zed", ses}},
      write_command{attachment_id("att_1"), command_id("cmd_3"), agent::cancel_current_turn{request_id("int_1"), ses}},
      supersede{attachment_id("att_1")},
      close_attachment{attachment_id("att_1"), 4404, "deleted"},
  };
  for (const auto& order : orders) {
    const auto text = encode(order, 2);
    CAPTURE(text);
    const auto decoded = decode_order(text);
    if (!decoded) FAIL(decoded.error().message);
    CHECK(decoded->epoch == 2);
    CHECK(decoded->what.index() == order.index());
    CHECK(encode(decoded->what, 2) == text);
  }
  CHECK(decode_order(R"({"epoch":1,"op":"supersede","attachment":""})").error().message == "attachment is empty");
  CHECK_FALSE(decode_order(R"({"epoch":1,"op":"write_command","attachment":"a","command":"c","body":{"op":"x"}})"));
  for (const auto outcome : {order_outcome::written, order_outcome::not_written, order_outcome::unknown}) {
    CHECK(decode_outcome(encode(outcome)).value() == outcome);
  }
  CHECK(decode_outcome("{}").error().code == "bad_message");
  CHECK(decode_outcome(R"({"outcome":"perhaps"})").error().code == "bad_message");
}
