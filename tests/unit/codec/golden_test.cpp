// Every golden frame of proto/ through the decoders, and through the schemas beside them: code, frames and documents
// hold one another.

#include "tests/unit/codec/golden.hpp"

#include <doctest/doctest.h>

#include "common/codec/agent_frames.hpp"
#include "common/codec/key_requests.hpp"
#include "common/codec/parse.hpp"
#include "common/codec/requests.hpp"
#include "common/codec/user_frames.hpp"

using namespace throughline;
using namespace throughline::codec;
using namespace throughline::test;

namespace {

result<agent_frame> agent_frame_of(const std::string& text) {
  return decode_agent_frame(text);
}

}  // namespace

TEST_CASE("agent frames") {
  const auto s = schema_of("agent_frames");
  check_valid("agent_frames.valid", s, [](const std::string& text) -> std::optional<error> {
    const auto frame = decode_agent_frame(text);
    if (!frame) return frame.error();
    if (std::holds_alternative<unknown_event>(frame->what)) return error{"unknown", "taken for an unknown type"};
    return std::nullopt;
  });
  check_valid("agent_frames.ignored", s, [](const std::string& text) -> std::optional<error> {
    const auto frame = decode_agent_frame(text);
    if (!frame) return frame.error();
    if (std::holds_alternative<agent_event>(frame->what)) return error{"known", "taken for a known type"};
    return std::nullopt;
  });
  check_invalid("agent_frames.invalid", s, outcome_of(agent_frame_of));
}

TEST_CASE("agent commands") {
  const auto s = schema_of("agent_commands");
  for (const auto& line : lines("agent_commands.valid")) CHECK_MESSAGE(s.accepts(line), line);
  const auto golden = lines("agent_commands.valid");
  const session_id ses("ses_01h2xcejqtf2nbrexx3vqjhp41");
  const request_id turn("int_01h2xcejqtf2nbrexx3vqjhp41");
  CHECK(encode_command(agent::chat_message{.message = "List the files.",
                                           .request = turn,
                                           .interaction = interaction_id(turn.text()),
                                           .agent_name = "zed-agent",
                                           .session = ses}) == golden[0]);
  CHECK(encode_command(agent::open_thread{thread_id("0198a1b2"), request_id("req_01h2xcejqtf2nbrexx3vqjhp42"),
                                          "zed-agent", ses}) == golden[1]);
  CHECK(encode_command(agent::cancel_current_turn{turn, ses}) == golden[2]);
  CHECK(encode_agent_error("bad_frame", "data.message_id is missing") == golden[3]);
  CHECK(encode_resume({1, 0}) == golden[4]);
  CHECK(encode_agent_ack(12) == golden[5]);
  CHECK(encode_command(agent::chat_message{.message = "List the files.",
                                           .request = turn,
                                           .interaction = interaction_id(turn.text()),
                                           .thread = thread_id("0198a1b2"),
                                           .agent_name = "zed-agent",
                                           .session = ses,
                                           .redelivered = true}) == golden[6]);
  CHECK_FALSE(s.accepts(R"({"type":"chat_message","data":{"role":"user"}})"));
}

TEST_CASE("user frames") {
  const auto s = schema_of("user_frames");
  check_valid("user_frames.valid", s, outcome_of(decode_user_frame));
  check_invalid("user_frames.invalid", s, outcome_of(decode_user_frame));
}

TEST_CASE("frames to viewers") {
  const auto s = schema_of("events");
  check_valid("events.valid", s, outcome_of(headers_of_body));
  check_invalid("events.invalid", s, outcome_of(headers_of_body));
  for (const auto& line : lines("viewer_frames.valid")) CHECK_MESSAGE(s.accepts(line), line);
}

TEST_CASE("requests") {
  const auto s = schema_of("requests");
  check_valid("requests.valid", s, [](const std::string& text) -> std::optional<error> {
    const auto message = decode_request(text);
    if (!message) return message.error();
    const auto again = std::visit([&](const auto& r) { return encode(r, message->budget); }, message->what);
    if (again != text) return error{"changed", again};
    return std::nullopt;
  });
  check_invalid("requests.invalid", s, outcome_of(decode_request));
}

TEST_CASE("key requests") {
  const auto s = schema_of("key_requests");
  check_valid("key_requests.valid", s, [](const std::string& text) -> std::optional<error> {
    const auto message = decode_key_request(text);
    if (!message) return message.error();
    const auto again = encode(message->what, message->budget);
    if (again != text) return error{"changed", again};
    return std::nullopt;
  });
  check_invalid("key_requests.invalid", s, outcome_of(decode_key_request));
}

namespace {

/// Lines that hold the whole message as text: an envelope, and bytes behind it.
template <class Decode>
void check_envelopes(const std::string& name, const json_schema& s, Decode decode) {
  for (const auto& line : lines(name)) {
    const auto text = field(line, "text");
    CAPTURE(text);
    const auto message = decode(text);
    if (!message) {
      FAIL_CHECK(message.error().message);
      continue;
    }
    CHECK(encode(message->what, message->epoch) == text);
    CHECK(s.accepts(text.substr(0, text.find('\n'))));
  }
}

}  // namespace

TEST_CASE("replies, readings and orders") {
  const auto replies = schema_of("replies");
  const auto readings = schema_of("readings");
  const auto orders = schema_of("orders");
  check_envelopes("replies.valid", replies, decode_reply);
  check_invalid("replies.invalid", replies, outcome_of(decode_reply));
  check_envelopes("readings.valid", readings, decode_reading);
  check_invalid("readings.invalid", readings, outcome_of(decode_reading));
  check_envelopes("orders.valid", orders, decode_order);
  check_invalid("orders.invalid", orders, outcome_of(decode_order));
}
