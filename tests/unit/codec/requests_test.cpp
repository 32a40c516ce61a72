#include "common/codec/requests.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::codec;

namespace {

const session_id ses("ses_01h2xcejqtf2nbrexx3vqjhp41");
const attachment_id attachment("att_1");
const bridge_id bridge("brg_1");
const caller by{user_id("alice"), "key-1", "f00d"};

std::vector<session_request> every_session_request() {
  agent::message_added added{.thread = thread_id("t"), .message = message_id("1"), .request = request_id("int_1")};
  added.type = entry_type::tool_call;
  added.content = {text_delta::base_name{5, 18446744073709551615ULL}, 5, " \"world\"\n📤"};
  agent::message_completed completed{.thread = thread_id("t"), .agent_name = "zed"};
  completed.usage = token_usage{.total_tokens = 3};
  const std::vector<numbered_frame> frames = {
      {7, agent_event(added)},
      {8, std::nullopt},
      {9, agent_event(agent::ping{})},
      {10, agent_event(agent::agent_ready{"zed", thread_id("t")})},
      {11, agent_event(agent::thread_created{thread_id("t"), request_id("r"), "title"})},
      {12, agent_event(agent::user_created_thread{thread_id("t"), std::nullopt})},
      {13, agent_event(agent::thread_title_changed{thread_id("t"), "T"})},
      {14, agent_event(completed)},
      {15, agent_event(agent::thread_load_error{thread_id("t"), request_id("r"), "e"})},
      {16, agent_event(agent::chat_response_error{request_id("r"), "e"})},
      {17, agent_event(agent::turn_cancelled{request_id("r"), true})},
  };
  return {create_session{by, ses, "name", "zed", R"({"a":[1,"}"]})"},
          rename_session{by, ses, "new"},
          delete_session{by, ses},
          post_prompt{by, ses, "do it", true},
          cancel_turn{by, ses, std::nullopt},
          cancel_turn{by, ses, interaction_id("int_1")},
          put_grant{by, ses, user_id("bob"), role::editor},
          delete_grant{by, ses, user_id("bob")},
          mint_agent_token{by, ses, "hash", std::nullopt},
          mint_agent_token{by, ses, "hash", millis(90'000)},
          revoke_agent_tokens{by, ses},
          attach{ses, attachment, bridge, "hash", std::nullopt},
          attach{ses, attachment, bridge, "hash", "instance"},
          detach{ses, attachment, 4},
          seal{ses, attachment, 5},
          hand_over{ses, attachment, bridge, 6, 3, frames},
          command_outcome{ses, attachment, command_id("cmd_1"), true}};
}

std::vector<read_request> every_read_request() {
  return {read_session{ses, true},
          read_snapshot{ses},
          read_events{ses, std::nullopt, 5, 6},
          read_events{ses, position{1, 42}, 5, 6},
          read_interactions{ses, 1, 2, true},
          read_interaction{ses, interaction_id("int_1")},
          read_activity{ses},
          list_sessions{user_id("alice"), 1, 50},
          list_agents{user_id("alice")},
          read_heads{{ses, ses}},
          find_agent_token{"hash"},
          find_key{"hash"}};
}

error fault(std::string_view message) {
  const auto decoded = decode_request(message);
  REQUIRE_FALSE(decoded);
  return decoded.error();
}

}  // namespace

TEST_CASE("every session_request survives the wire") {
  for (const auto& request : every_session_request()) {
    const auto text = encode(request, millis(1500));
    CAPTURE(text);
    const auto decoded = decode_request(text);
    if (!decoded) FAIL(decoded.error().message);
    CHECK(decoded->budget == millis(1500));
    const auto& back = std::get<session_request>(decoded->what);
    CHECK(back.index() == request.index());
    CHECK(encode(back, millis(1500)) == text);
  }
}

TEST_CASE("every read_request survives the wire") {
  for (const auto& request : every_read_request()) {
    const auto text = encode(request, millis(500));
    CAPTURE(text);
    const auto decoded = decode_request(text);
    if (!decoded) FAIL(decoded.error().message);
    const auto& back = std::get<read_request>(decoded->what);
    CHECK(back.index() == request.index());
    CHECK(encode(back, millis(500)) == text);
  }
}

TEST_CASE("fields arrive as they left") {
  const auto decoded = decode_request(encode(every_session_request()[15], millis(1)));
  const auto& h = std::get<hand_over>(std::get<session_request>(decoded->what));
  CHECK(h.acknowledged == 6);
  CHECK(h.attempt == 3);
  REQUIRE(h.frames.size() == 11);
  const auto& added = std::get<agent::message_added>(*h.frames[0].event);
  CHECK(added.content.base == text_delta::base_name{5, 18446744073709551615ULL});
  CHECK(added.content.text == " \"world\"\n📤");
  CHECK(added.type == entry_type::tool_call);
  CHECK_FALSE(h.frames[1].event);
  CHECK(std::get<agent::message_completed>(*h.frames[7].event).usage->total_tokens == 3);
}

TEST_CASE("the text of one is stable") {
  CHECK(encode(session_request(post_prompt{by, ses, "hi", false}), millis(4000)) ==
        R"({"op":"post_prompt","by":{"user":"alice","id":"key-1","fingerprint":"f00d"},)"
        R"("session":"ses_01h2xcejqtf2nbrexx3vqjhp41","content":"hi","interrupt":false,"budget_ms":4000})");
  CHECK(encode(read_request(read_events{ses, position{1, 42}, 5, 6}), millis(-1)) ==
        R"({"op":"read_events","session":"ses_01h2xcejqtf2nbrexx3vqjhp41","since":"1:42","limit":5,"bytes_max":6,)"
        R"("budget_ms":0})");
}

TEST_CASE("a message that is wrong names its field") {
  const std::string head = R"({"op":"detach","session":"ses_01h2xcejqtf2nbrexx3vqjhp41",)";
  const std::pair<std::string, const char*> cases[] = {
      {"", "JSON"},
      {"[]", "op"},
      {R"({"op":"unheard_of","budget_ms":1})", "op"},
      {R"({"op":"read_unheard_of","budget_ms":1})", "op"},
      {head + R"("attachment":"a","last_number":1})", "budget_ms"},
      {head + R"("attachment":"a","last_number":1,"budget_ms":-1})", "budget_ms"},
      {head + R"("attachment":"a","last_number":1,"budget_ms":99999999999})", "budget_ms"},
      {head + R"("attachment":"a","budget_ms":1})", "last_number"},
      {head + R"("attachment":1,"last_number":1,"budget_ms":1})", "attachment"},
      {head + R"("attachment":"","last_number":1,"budget_ms":1})", "attachment"},
      {head + R"("attachment":")" + std::string(257, 'a') + R"(","last_number":1,"budget_ms":1})", "attachment"},
      {R"({"op":"detach","session":"nope","attachment":"a","last_number":1,"budget_ms":1})", "session"},
      {R"({"op":"read_heads","sessions":["nope"],"budget_ms":1})", "sessions"},
      {R"({"op":"read_heads","sessions":"nope","budget_ms":1})", "sessions"},
      {R"({"op":"read_events","session":"ses_01h2xcejqtf2nbrexx3vqjhp41","since":"x","limit":1,"bytes_max":1,)"
       R"("budget_ms":1})",
       "since"},
      {R"({"op":"delete_session","by":{"user":"","id":"k","fingerprint":""},)"
       R"("session":"ses_01h2xcejqtf2nbrexx3vqjhp41","budget_ms":1})",
       "user"},
      {R"({"op":"delete_session","by":{"user":"u","id":"","fingerprint":""},)"
       R"("session":"ses_01h2xcejqtf2nbrexx3vqjhp41","budget_ms":1})",
       "id"},
      {R"({"op":"put_grant","by":{"user":"u","id":"k","fingerprint":""},)"
       R"("session":"ses_01h2xcejqtf2nbrexx3vqjhp41","grantee":"g","role":"king","budget_ms":1})",
       "role"},
  };
  for (const auto& [text, name] : cases) {
    CAPTURE(text);
    const auto e = fault(text);
    CHECK(e.code == "bad_message");
    CHECK(e.message.find(name) != std::string::npos);
  }
}

TEST_CASE("a hand-over has consecutive numbers from 1 and a bound") {
  hand_over h{ses, attachment, bridge, 0, 1, {{3, std::nullopt}, {5, std::nullopt}}};
  CHECK(fault(encode(session_request(h), millis(1))).message == "frames are not consecutive");
  h.frames = {{0, std::nullopt}};
  CHECK(fault(encode(session_request(h), millis(1))).message == "frames are not consecutive");
  h.frames.clear();
  for (std::uint64_t n = 1; n <= hand_over_frames_max; ++n) h.frames.push_back({n, std::nullopt});
  CHECK(decode_request(encode(session_request(h), millis(1))).has_value());
  h.frames.push_back({hand_over_frames_max + 1, std::nullopt});
  CHECK(fault(encode(session_request(h), millis(1))).message == "frames is too long");
}

TEST_CASE("renewals travel together, those of one shard, and never one by one") {
  const session_id same_shard("ses_01h2xcejqtf2nbrexx3vqjhpc1");
  const session_id other_shard("ses_01h2xcejqtf2nbrexx3vqjhp42");
  const renew both{{{ses, attachment}, {same_shard, attachment_id("att_2")}}};
  const auto decoded = decode_request(encode(both, millis(1000)));
  if (!decoded) FAIL(decoded.error().message);
  CHECK(decoded->budget == millis(1000));
  const auto& back = std::get<renew>(decoded->what);
  REQUIRE(back.attachments.size() == 2);
  CHECK(back.attachments[1].session == same_shard);
  CHECK(back.attachments[1].attachment == attachment_id("att_2"));
  const renewal alone{ses, attachment};
  CHECK(encode(session_request(alone), millis(1)) == encode(renew{{alone}}, millis(1)));
  CHECK(
      fault(R"({"op":"renewal","session":"ses_01h2xcejqtf2nbrexx3vqjhp41","attachment":"a","budget_ms":1})").message ==
      "the message has an unknown op");
  CHECK(fault(encode(renew{}, millis(1))).message == "attachments is empty");
  CHECK(fault(encode(renew{{{ses, attachment}, {other_shard, attachment}}}, millis(1))).message ==
        "attachments are of several shards");
  CHECK(fault(encode(renew{{{ses, attachment}, {ses, attachment_id()}}}, millis(1))).message == "attachment is empty");
}

TEST_CASE("as many renewals as one message may hold fit into the smallest one that is not split") {
  renew many;
  const attachment_id full_length("att_01h2xcejqtf2nbrexx3vqjhp43");
  while (many.attachments.size() < renew_attachments_max) many.attachments.push_back({ses, full_length});
  const auto text = encode(many, millis(4'000));
  CHECK(text.size() < (64u << 10) - (4u << 10));
  CHECK(decode_request(text).has_value());
  many.attachments.push_back({ses, full_length});
  CHECK(fault(encode(many, millis(1))).message == "attachments is too long");
}

TEST_CASE("the fingerprint is of the operation and its fields but the id") {
  const session_request prompt = post_prompt{by, ses, "hi", false};
  const auto print = fingerprint_of(prompt);
  CHECK(print.size() == 64);
  CHECK(print == fingerprint_of(post_prompt{{user_id("alice"), "key-2", ""}, ses, "hi", false}));
  CHECK(print != fingerprint_of(post_prompt{by, ses, "ho", false}));
  CHECK(print != fingerprint_of(post_prompt{by, ses, "hi", true}));
  CHECK(fingerprint_of(delete_session{by, ses}) != fingerprint_of(revoke_agent_tokens{by, ses}));
  const session_id other("ses_01h2xcejqtf2nbrexx3vqjhp42");
  CHECK(fingerprint_of(create_session{by, ses, "n", "", "{}"}) ==
        fingerprint_of(create_session{by, other, "n", "", "{}"}));
  CHECK(fingerprint_of(mint_agent_token{by, ses, "a", std::nullopt}) ==
        fingerprint_of(mint_agent_token{by, ses, "b", std::nullopt}));
  CHECK(fingerprint_of(mint_agent_token{by, ses, "a", millis(1)}) !=
        fingerprint_of(mint_agent_token{by, ses, "a", std::nullopt}));
}
