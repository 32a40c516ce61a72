#include "common/codec/http_bodies.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::codec;

namespace {

std::string chat(std::string_view messages, std::string_view more = "") {
  return R"({"messages":)" + std::string(messages) + std::string(more) + "}";
}
std::string user_message(std::string_view parts) {
  return R"([{"role":"user","content":{"content_type":"text","parts":)" + std::string(parts) + "}}]";
}

}  // namespace

TEST_CASE("creation") {
  CHECK(decode_create("")->metadata == "{}");
  const auto body = decode_create(R"({"name":"n\u0000","agent_name":"zed","metadata": { "a" : [1, -2, 1.5, null, true],
      "b\u0001": "x\u0000\"y" },"unknown":[]})");
  REQUIRE(body);
  CHECK(body->name == "n");
  CHECK(body->agent_name == "zed");
  CHECK(body->metadata == R"({"a":[1,-2,1.5,null,true],"b":"x\"y"})");
  CHECK(decode_create(R"({"metadata":[]})").error().code == "bad_request");
  CHECK(decode_create(R"({"metadata":"{}"})").error().code == "bad_request");
  CHECK(decode_create(R"({"name":5})").error().code == "bad_request");
  CHECK(decode_create(R"({"name":")" + std::string(1025, 'x') + "\"}").error().code == "bad_request");
  CHECK(decode_create("[]").error().code == "bad_request");
  CHECK(decode_create("{").error().code == "bad_request");
  const std::string just(16 * 1024 - 8, 'x');
  CHECK(decode_create(R"({"metadata":{"a":")" + just + "\"}}").has_value());
  CHECK(decode_create(R"({"metadata":{"a":")" + just + "x\"}}").error().code == "too_large");
}

TEST_CASE("renaming, grants, keys, cancels") {
  CHECK(decode_rename(R"({"name":"n"})")->name == "n");
  CHECK(decode_rename(R"({"name":""})").error().code == "bad_request");
  CHECK(decode_rename("").error().code == "bad_request");
  CHECK(decode_put_grant(R"({"role":"editor"})")->what == role::editor);
  CHECK(decode_put_grant(R"({"role":"owner"})").error().code == "bad_request");
  CHECK(decode_put_grant("{}").error().code == "bad_request");
  CHECK(decode_create_key("")->name.empty());
  CHECK(decode_create_key(R"({"name":"ci"})")->name == "ci");
  CHECK_FALSE(decode_cancel("")->interaction);
  CHECK_FALSE(decode_cancel(R"({"interaction_id":null})")->interaction);
  CHECK(decode_cancel(R"({"interaction_id":"int_1"})")->interaction == interaction_id("int_1"));
  CHECK(decode_cancel(R"({"interaction_id":7})").error().code == "bad_request");
}

TEST_CASE("messages") {
  const auto body = decode_post_message(R"({"content":"do\u0000 it","interrupt":true,"id":"p-1"})");
  REQUIRE(body);
  CHECK(body->content == "do it");
  CHECK(body->interrupt);
  CHECK(body->id == "p-1");
  CHECK_FALSE(decode_post_message(R"({"content":"x"})")->id);
  for (const char* bad : {"", "{}", R"({"content":""})", R"({"content":"\u0000"})", R"({"content":["x"]})",
                          R"({"content":"x","interrupt":"yes"})", R"({"content":"x","id":""})",
                          R"({"content":"x","id":5})", R"({"content":"x","id":"a\nb"})"}) {
    CAPTURE(bad);
    CHECK(decode_post_message(bad).error().code == "bad_request");
  }
  CHECK(decode_post_message(R"({"content":"x","id":")" + std::string(129, 'i') + "\"}").error().code == "bad_request");
  CHECK(decode_post_message(R"({"content":")" + std::string(1 << 20, 'x') + "\"}").has_value());
  CHECK(decode_post_message(R"({"content":")" + std::string((1 << 20) + 1, 'x') + "\"}").error().code == "too_large");
}

TEST_CASE("agent tokens and durations") {
  CHECK_FALSE(decode_mint_token("")->ttl);
  CHECK(decode_mint_token(R"({"ttl":"90s"})")->ttl == millis(90'000));
  CHECK(decode_mint_token(R"({"ttl":90})").error().code == "bad_request");
  CHECK(decode_mint_token(R"({"ttl":"soon"})").error().code == "bad_request");
  CHECK(parse_duration("250ms") == millis(250));
  CHECK(parse_duration("5m") == millis(300'000));
  CHECK(parse_duration("24h") == millis(86'400'000));
  for (const char* bad :
       {"", "5", "s", "-5s", "0s", "5 s", "5d", "1.5h", "5sx", "99999999999999999999h", "9223372036854775807h"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_duration(bad));
  }
}

TEST_CASE("chat") {
  const auto body = decode_chat(chat(user_message(R"(["a",{"type":"text","text":"b"}])"),
                                     R"(,"session_id":"ses_1","stream":true,"interrupt":true,"model":"x")"));
  REQUIRE(body);
  CHECK(body->content == "a\nb");
  CHECK(body->session == session_id("ses_1"));
  CHECK(body->stream);
  CHECK(body->interrupt);
  CHECK_FALSE(decode_chat(chat(user_message(R"(["a"])"), R"(,"session_id":"")"))->session);

  const auto code = [](const std::string& json) { return decode_chat(json).error().code; };
  CHECK(code("{}") == "bad_request");
  CHECK(code(chat("[]")) == "one_message_only");
  CHECK(code(chat(R"([{"role":"user","content":{"parts":["a"]}},{"role":"user","content":{"parts":["b"]}}])")) ==
        "one_message_only");
  CHECK(code(chat(R"([{"role":"assistant","content":{"parts":["a"]}}])")) == "bad_request");
  CHECK(code(chat(R"(["a"])")) == "bad_request");
  CHECK(code(chat(R"([{"role":"user"}])")) == "bad_request");
  CHECK(code(chat(R"([{"role":"user","content":{"parts":"a"}}])")) == "bad_request");
  CHECK(code(chat(user_message("[]"))) == "bad_request");
  CHECK(code(chat(user_message(R"([{"type":"text"}])"))) == "bad_request");
  CHECK(code(chat(user_message(R"(["a",{"type":"image_url","image_url":"x"}])"))) == "unsupported_content");
  CHECK(code(chat(user_message("[5]"))) == "unsupported_content");
  CHECK(code(chat(user_message("[\"" + std::string((1 << 20) + 1, 'x') + "\"]"))) == "too_large");
}

TEST_CASE("the session of a chat is read from a body that is otherwise at fault") {
  CHECK(session_of_chat(R"({"session_id":"ses_1"})") == session_id("ses_1"));
  CHECK(session_of_chat(R"({"session_id":"ses_1","messages":7,"stream":"yes"})") == session_id("ses_1"));
  for (const auto* none : {"", "{", "[]", "{}", R"({"session_id":7})", R"({"session_id":null})", R"({"session_id":""})",
                           R"({"session_id":"ses_1")"}) {
    CAPTURE(none);
    CHECK_FALSE(session_of_chat(none));
  }
}

TEST_CASE("idempotency ids") {
  CHECK(check_idempotency_id("a").value() == "a");
  CHECK(check_idempotency_id(std::string(128, 'a')).has_value());
  CHECK(check_idempotency_id("é").has_value());
  CHECK_FALSE(check_idempotency_id(""));
  CHECK_FALSE(check_idempotency_id(std::string(129, 'a')));
  CHECK_FALSE(check_idempotency_id("a\tb"));
  CHECK_FALSE(check_idempotency_id("\xff"));
}

TEST_CASE("each code has its status") {
  CHECK(http_status_of("bad_request") == 400);
  CHECK(http_status_of("one_message_only") == 400);
  CHECK(http_status_of("forbidden") == 403);
  CHECK(http_status_of("id_reused") == 409);
  CHECK(http_status_of("position_unknown") == 410);
  CHECK(http_status_of("too_large") == 413);
  CHECK(http_status_of("queue_full") == 429);
  CHECK(http_status_of("turn_error") == 502);
  CHECK(http_status_of("not_accepted") == 503);
  CHECK(http_status_of("outcome_unknown") == 504);
  CHECK(http_status_of("nobody_knows") == 500);
}
