#include "common/codec/user_frames.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::codec;

namespace {

user_frame_fault fault(std::string_view text) {
  auto frame = decode_user_frame(text);
  REQUIRE_FALSE(frame);
  return frame.error();
}

}  // namespace

TEST_CASE("client frames") {
  CHECK(std::get<user::resync>(*decode_user_frame(R"({"type":"resync","id":"1"})")).id == "1");
  const auto prompt =
      std::get<user::prompt>(*decode_user_frame(R"({"type":"prompt","id":"2","content":"hi\u0000","interrupt":true})"));
  CHECK(prompt.id == "2");
  CHECK(prompt.content == "hi");
  CHECK(prompt.interrupt);
  CHECK_FALSE(std::get<user::prompt>(*decode_user_frame(R"({"type":"prompt","id":"2","content":"x"})")).interrupt);
  CHECK(std::get<user::cancel>(*decode_user_frame(R"({"type":"cancel","id":"3","interaction_id":"int_1"})"))
            .interaction == interaction_id("int_1"));
  CHECK_FALSE(std::get<user::cancel>(*decode_user_frame(R"({"type":"cancel","id":"3"})")).interaction);
  CHECK(std::get<user::token>(*decode_user_frame(R"({"type":"token","id":"4","token":"t"})")).value == "t");
}

TEST_CASE("a frame that does not parse has no id, one that does keeps it") {
  for (const char* text : {"", "{", "[]", "{}", R"({"type":5,"id":"1"})"}) {
    CAPTURE(text);
    const auto f = fault(text);
    CHECK_FALSE(f.id);
    CHECK(f.what.code == "bad_frame");
  }
  const std::pair<const char*, const char*> with_id[] = {
      {R"({"type":"never_heard","id":"1"})", "bad_frame"},
      {R"({"type":"prompt","id":"1"})", "bad_frame"},
      {R"({"type":"prompt","id":"1","content":5})", "bad_frame"},
      {R"({"type":"prompt","id":"1","content":""})", "bad_request"},
      {R"({"type":"cancel","id":"1","interaction_id":5})", "bad_frame"},
      {R"({"type":"token","id":"1"})", "bad_frame"},
  };
  for (const auto& [text, code] : with_id) {
    CAPTURE(text);
    const auto f = fault(text);
    CHECK(f.id == "1");
    CHECK(f.what.code == code);
  }
  CHECK(fault(R"({"type":"prompt","id":"1","content":")" + std::string((1 << 20) + 1, 'x') + "\"}").what.code ==
        "too_large");
  CHECK_FALSE(fault(R"({"type":"resync"})").id);
  CHECK_FALSE(fault(R"({"type":"resync","id":""})").id);
  CHECK_FALSE(fault(R"({"type":"resync","id":7})").id);
}

TEST_CASE("answers and signs of life") {
  CHECK(encode_user_ack("1") == R"({"type":"ack","id":"1","status":"ok"})");
  CHECK(encode_user_ack("1", R"({"prompt_id":"p","state":"queued","position":"1:9"})") ==
        R"({"type":"ack","id":"1","status":"ok","prompt_id":"p","state":"queued","position":"1:9"})");
  CHECK(encode_user_ack("1", R"({"status":"noop"})") == R"({"type":"ack","id":"1","status":"ok","result":"noop"})");
  CHECK(encode_user_error("1", "queue_full", "later") ==
        R"({"type":"error","id":"1","code":"queue_full","message":"later"})");
  CHECK(encode_user_error(std::nullopt, "bad_frame", "x") == R"({"type":"error","code":"bad_frame","message":"x"})");
  CHECK(encode_heartbeat(session_id("ses_1"), {1, 9}) ==
        R"({"type":"heartbeat","session_id":"ses_1","epoch":1,"seq":9})");
  CHECK(encode_replay_complete(session_id("ses_1"), {1, 9}) ==
        R"({"type":"replay_complete","session_id":"ses_1","epoch":1,"seq":9})");
  CHECK(encode_reconnect(500) == R"({"type":"reconnect","after_ms":500})");
  CHECK(close_reason(500) == R"({"after_ms":500})");
}
