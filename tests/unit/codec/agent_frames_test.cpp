#include "common/codec/agent_frames.hpp"

#include <doctest/doctest.h>

#include "common/base/utf.hpp"

using namespace throughline;
using namespace throughline::codec;

namespace {

template <class T>
T decoded(std::string_view text, std::size_t entry_max = 1000) {
  const auto frame = decode_agent_frame(text, entry_max);
  if (!frame) FAIL(frame.error().message);
  const auto* e = std::get_if<agent_event>(&frame->what);
  REQUIRE(e != nullptr);
  REQUIRE(std::holds_alternative<T>(*e));
  return std::get<T>(*e);
}

error fault(std::string_view text) {
  const auto frame = decode_agent_frame(text);
  REQUIRE_FALSE(frame);
  return frame.error();
}

std::string message(std::string_view fields) {
  return R"({"event_type":"message_added","data":{"acp_thread_id":"t","role":"assistant",)" + std::string(fields) +
         "}}";
}

}  // namespace

TEST_CASE("message_added with everything") {
  const auto e = decoded<agent::message_added>(
      R"({"session_id":"ses_1","event_type":"message_added","timestamp":"2026-01-01T00:00:00Z","data":{
        "acp_thread_id":"t-1","message_id":"3","content":"**Tool Call: ls** 📤","role":"assistant",
        "entry_type":"tool_call","request_id":"int_1","tool_name":"ls","tool_status":"In Progress","timestamp":5}})");
  CHECK(e.thread == thread_id("t-1"));
  CHECK(e.message == message_id("3"));
  CHECK(e.role == agent::author::assistant);
  CHECK(e.type == entry_type::tool_call);
  CHECK(e.content == text_delta{std::nullopt, 0, "**Tool Call: ls** 📤"});
  CHECK(e.request == request_id("int_1"));
  CHECK(e.tool_name == "ls");
  CHECK(e.tool_status == "In Progress");
}

TEST_CASE("message_added with as little as stock agents send") {
  const auto e = decoded<agent::message_added>(
      R"({"event_type":"message_added","data":{"context_id":"t","message_id":"0","content":"","role":"system"}})");
  CHECK(e.thread == thread_id("t"));
  CHECK(e.role == agent::author::user);
  CHECK_FALSE(e.type);
  CHECK(e.request.empty());
  CHECK(decoded<agent::message_added>(message(R"("message_id":"0","content":"","entry_type":"","request_id":null)"))
            .type == std::nullopt);
  CHECK(decoded<agent::message_added>(message(R"("message_id":"0","content":"","entry_type":"text")")).type ==
        entry_type::text);
}

TEST_CASE("content is sanitised, then cut on a code point with the mark inside the bound") {
  CHECK(decoded<agent::message_added>(message(R"("message_id":"0","content":"a\u0000b\u001fc\u0085\ufffe\n")"))
            .content.text == "abc\n");
  const auto cut = [](std::string content, std::size_t most) {
    return decoded<agent::message_added>(message(R"("message_id":"0","content":")" + content + "\""), most)
        .content.text;
  };
  CHECK(cut(std::string(20, 'x'), 20) == std::string(20, 'x'));
  CHECK(cut(std::string(21, 'x'), 20) == std::string(7, 'x') + "\n\n[truncated]");
  CHECK(cut("123456📤" + std::string(20, 'x'), 20) == "123456\n\n[truncated]");
  std::string tiny = "abcdef";
  CHECK(truncate_content(tiny, 3));
  CHECK(tiny == "\n\n[truncated]");
}

TEST_CASE("the other events") {
  CHECK_NOTHROW(decoded<agent::ping>(R"({"event_type":"ping","data":{"timestamp":1}})"));

  const auto ready =
      decoded<agent::agent_ready>(R"({"event_type":"agent_ready","data":{"agent_name":"zed-agent","thread_id":"t"}})");
  CHECK(ready.agent_name == "zed-agent");
  CHECK(ready.thread == thread_id("t"));
  CHECK_FALSE(decoded<agent::agent_ready>(
                  R"({"event_type":"agent_ready","data":{"agent_name":"zed-connection","thread_id":null}})")
                  .thread);

  const auto created = decoded<agent::thread_created>(
      R"({"event_type":"thread_created","data":{"acp_thread_id":"t","request_id":"int_1"}})");
  CHECK(created.request == request_id("int_1"));
  CHECK_FALSE(created.title);
  CHECK(decoded<agent::thread_created>(R"({"event_type":"context_created","data":{"context_id":"t","title":"T"}})")
            .title == "T");
  CHECK(decoded<agent::user_created_thread>(
            R"({"event_type":"user_created_thread","data":{"acp_thread_id":"t","title":null}})")
            .thread == thread_id("t"));
  CHECK(decoded<agent::thread_title_changed>(
            R"({"event_type":"thread_title_changed","data":{"acp_thread_id":"t","title":""}})")
            .title.empty());
  CHECK(decoded<agent::thread_load_error>(
            R"({"event_type":"thread_load_error","data":{"acp_thread_id":"t","request_id":"r","error":"gone"}})")
            .error == "gone");
  CHECK(decoded<agent::chat_response_error>(
            R"({"event_type":"chat_response_error","data":{"request_id":"r","error":""}})")
            .error == "Unknown error from external agent");
  CHECK(decoded<agent::turn_cancelled>(
            R"({"event_type":"turn_cancelled","data":{"request_id":"r","status":"cancelled"}})")
            .cancelled);
  CHECK_FALSE(
      decoded<agent::turn_cancelled>(R"({"event_type":"turn_cancelled","data":{"request_id":"","status":"noop"}})")
          .cancelled);
}

TEST_CASE("a completion is never lost for its usage") {
  const auto with = [](std::string_view usage) {
    return decoded<agent::message_completed>(
        R"({"event_type":"message_completed","data":{"acp_thread_id":"t","message_id":"0","request_id":"r","usage":)" +
        std::string(usage) + "}}");
  };
  CHECK_FALSE(with("null").usage);
  CHECK_FALSE(with("[1]").usage);
  const auto usage = with(R"({"total_tokens":9,"input_tokens":-1,"output_tokens":1.5,"thought_tokens":"x"})").usage;
  REQUIRE(usage);
  CHECK(*usage == token_usage{.total_tokens = 9});
}

TEST_CASE("unknown and legacy types are told, not refused") {
  for (const char* type : {"chat_response", "chat_response_chunk", "chat_response_done", "message_updated",
                           "context_title_changed", "ui_state_response", "never_heard_of"}) {
    const auto frame = decode_agent_frame(R"({"event_type":")" + std::string(type) + R"(","data":{"x":1}})");
    REQUIRE(frame);
    CHECK(std::get<unknown_event>(frame->what).type == type);
  }
  const auto frame = decode_agent_frame(R"({"event_type":")" + std::string(500, 'x') + R"(","data":{}})");
  CHECK(std::get<unknown_event>(frame->what).type.size() == 64);
}

TEST_CASE("a v2 number is read from the top") {
  CHECK(decode_agent_frame(R"({"seq":7,"event_type":"ping","data":{}})")->seq == 7);
  CHECK_FALSE(decode_agent_frame(R"({"event_type":"ping","data":{"seq":7}})")->seq);
  CHECK_FALSE(decode_agent_frame(R"({"seq":"7","event_type":"ping","data":{}})")->seq);
  CHECK_FALSE(decode_agent_frame(R"({"seq":0,"event_type":"ping","data":{}})")->seq);
  CHECK_FALSE(decode_agent_frame(R"({"seq":-1,"event_type":"ping","data":{}})")->seq);
  CHECK_FALSE(decode_agent_frame(R"({"seq":7.0,"event_type":"ping","data":{}})")->seq);
  CHECK(decode_agent_frame(R"({"seq":9007199254740991,"event_type":"ping","data":{}})")->seq == agent_seq_max);
  CHECK_FALSE(decode_agent_frame(R"({"seq":9007199254740992,"event_type":"ping","data":{}})")->seq);
  CHECK_FALSE(decode_agent_frame(R"({"seq":18446744073709551616,"event_type":"ping","data":{}})"));
}

TEST_CASE("a frame that is refused tells its number where it can be read") {
  CHECK(agent_seq_of(R"({"seq":7,"event_type":"message_added","data":[]})") == 7);
  CHECK(agent_seq_of(R"({"seq":7})") == 7);
  for (const char* text : {R"({"seq":"7"})", R"({"event_type":"ping"})", "{", "[7]", "7", ""}) {
    CAPTURE(text);
    CHECK_FALSE(agent_seq_of(text));
  }
}

TEST_CASE("a frame that does not parse names its field") {
  const std::pair<std::string, const char*> cases[] = {
      {"", "JSON"},
      {"{", "JSON"},
      {"[]", "object"},
      {"1", "object"},
      {R"({"data":{}})", "event_type"},
      {R"({"event_type":1,"data":{}})", "event_type"},
      {R"({"event_type":"ping"})", "data"},
      {R"({"event_type":"ping","data":[]})", "data"},
      {R"({"event_type":"nobody_knows","data":"x"})", "data"},
      {R"({"event_type":"thread_created","data":{}})", "acp_thread_id"},
      {R"({"event_type":"thread_created","data":{"acp_thread_id":""}})", "acp_thread_id"},
      {R"({"event_type":"thread_title_changed","data":{"acp_thread_id":"t"}})", "title"},
      {R"({"event_type":"message_completed","data":{"request_id":"r"}})", "acp_thread_id"},
      {R"({"event_type":"chat_response_error","data":{"error":"x"}})", "request_id"},
      {R"({"event_type":"turn_cancelled","data":{"request_id":"r","status":"maybe"}})", "status"},
      {R"({"event_type":"turn_cancelled","data":{"status":"noop"}})", "request_id"},
      {R"({"event_type":"agent_ready","data":{"agent_name":5}})", "agent_name"},
      {message(R"("content":"x")"), "message_id"},
      {message(R"("message_id":3,"content":"x")"), "message_id"},
      {message(R"("message_id":"3")"), "content"},
      {message(R"("message_id":"3","content":["x"])"), "content"},
      {message(R"("message_id":"3","content":"x","tool_name":1)"), "tool_name"},
      {message(R"("message_id":"3","content":"x","request_id":1)"), "request_id"},
      {message(R"("message_id":")" + std::string(257, 'x') + R"(","content":"x")"), "message_id"},
      {message(R"("message_id":"3","content":"half a pair \udc00")"), ""},
      {message(R"("message_id":"3","content":"half a pair \ud800")"), ""},
      {R"({"event_type":"message_added","data":{"acp_thread_id":"t","message_id":"1","content":"x"}})", "role"},
      {std::string(100, '[') + std::string(100, ']'), "JSON"},
  };
  for (const auto& [text, name] : cases) {
    CAPTURE(text);
    const auto e = fault(text);
    CHECK(e.code == "bad_frame");
    CHECK(e.message.find(name) != std::string::npos);
  }
}

TEST_CASE("long text that is neither content nor id is cut, not refused") {
  const auto title = std::string(2000, 'x') + "é";
  CHECK(decoded<agent::thread_title_changed>(
            R"({"event_type":"thread_title_changed","data":{"acp_thread_id":"t","title":")" + title + "\"}}")
            .title.size() == 1024);
}

TEST_CASE("frames of every size are decoded one after another") {
  for (const std::size_t size : {10, 5'000, 3'000'000, 10, 2'000'000, 0}) {
    const std::string content(size, 'y');
    CHECK(decoded<agent::message_added>(message(R"("message_id":"0","content":")" + content + "\""), 8 << 20)
              .content.text.size() == size);
  }
}

TEST_CASE("commands to the agent") {
  agent::chat_message chat{.message = "say \"hi\"\n",
                           .request = request_id("int_1"),
                           .interaction = interaction_id("int_1"),
                           .thread = std::nullopt,
                           .agent_name = "zed-agent",
                           .session = session_id("ses_1"),
                           .interrupt = false};
  CHECK(encode_command(chat) ==
        R"({"type":"chat_message","data":{"message":"say \"hi\"\n","request_id":"int_1","interaction_id":"int_1",)"
        R"("acp_thread_id":null,"agent_name":"zed-agent","session_id":"ses_1","interrupt":false}})");
  chat.thread = thread_id("t");
  chat.interrupt = true;
  CHECK(encode_command(chat).find(R"("acp_thread_id":"t")") != std::string::npos);
  CHECK(encode_command(chat).find(R"("role")") == std::string::npos);
  CHECK(encode_command(agent::open_thread{thread_id("t"), request_id("req_1"), "", session_id("ses_1")}) ==
        R"({"type":"open_thread","data":{"acp_thread_id":"t","session_id":"ses_1","request_id":"req_1"}})");
  CHECK(encode_command(agent::open_thread{thread_id("t"), request_id("req_1"), "claude", session_id("ses_1")})
            .find(R"("agent_name":"claude")") != std::string::npos);
  CHECK(encode_command(agent::cancel_current_turn{request_id("int_1"), session_id("ses_1")}) ==
        R"({"type":"cancel_current_turn","data":{"request_id":"int_1","session_id":"ses_1"}})");
  CHECK(encode_agent_error("bad_frame", "data.x is missing") ==
        R"({"type":"error","data":{"code":"bad_frame","message":"data.x is missing"}})");
  CHECK(encode_resume({2, 9}) == R"({"type":"resume","data":{"epoch":2,"seq":9}})");
  CHECK(encode_agent_ack(12) == R"({"type":"ack","data":{"seq":12}})");
}
