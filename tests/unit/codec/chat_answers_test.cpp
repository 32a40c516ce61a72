#include "common/codec/chat_answers.hpp"

#include <doctest/doctest.h>

#include "common/codec/render.hpp"

using namespace throughline;
using namespace throughline::codec;

namespace {

const session_id ses("ses_01h2xcejqtf2nbrexx3vqjhp41");
const interaction_id turn("int_01h2xcejqtf2nbrexx3vqjhp41");

}  // namespace

TEST_CASE("an event's patch list is cut out byte by byte, whatever its strings hold") {
  patch_set set;
  set.patches.push_back({.index = 0,
                         .id = message_id("1"),
                         .type = entry_type::text,
                         .patch = R"( "entry_patches":[ ,"entry_count": \" 📤)",
                         .patch_offset = 3,
                         .total_length = 40});
  set.entry_count = 1;
  std::string body;
  render_patch_event(body, ses, turn, user_id(R"("entry_patches":)"), {1, 7}, set);
  std::string list;
  render_patches(list, set);
  const auto cut = cut_answer_event(event_kind::interaction_patch, {1, 7}, body);
  REQUIRE(cut);
  CHECK(cut->patch_list == list);
  CHECK(cut->patches == set);
}

TEST_CASE("of a session_update the queue and the agent's status are cut") {
  session s{.id = ses, .owner = user_id("ana"), .head = {1, 4}};
  s.queue.push_back({prompt_id("p"), turn, "hi", false, {}});
  std::string online;
  render_full_update(online, s, {});
  s.agent.status = agent_status::ready;
  std::string ready;
  render_full_update(ready, s, {});
  const auto a = cut_answer_event(event_kind::session_update, {1, 4}, online);
  const auto b = cut_answer_event(event_kind::session_update, {1, 4}, ready);
  REQUIRE(a);
  REQUIRE(b);
  CHECK(a->queue == std::vector{turn});
  CHECK(a->agent != b->agent);
  CHECK_FALSE(cut_answer_event(event_kind::session_update, {1, 4}, "{}"));
}

TEST_CASE("a chunk is one server-sent event with its position") {
  CHECK(encode_chat_chunk(ses, {.at = {1, 7}, .content = "a\n\"b", .patch_list = "[1]"}) ==
        "id: 1:7\n"
        R"(data: {"id":"ses_01h2xcejqtf2nbrexx3vqjhp41","object":"chat.completion.chunk","created":0,"model":"agent",)"
        R"("choices":[{"index":0,"delta":{"content":"a\n\"b"},"finish_reason":null}],"entry_patches":[1]})"
        "\n\n");
  CHECK(encode_chat_chunk(ses, {.at = {1, 7}, .patch_list = "[]", .entry_count = 0})
            .ends_with(R"("entry_patches":[],"entry_count":0})"
                       "\n\n"));
  CHECK(encode_chat_chunk(ses, {.at = {1, 8}, .stop = true}) ==
        "id: 1:8\n"
        R"(data: {"id":"ses_01h2xcejqtf2nbrexx3vqjhp41","object":"chat.completion.chunk","created":0,"model":"agent",)"
        R"("choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
        "\n\n");
  CHECK(encode_chat_error(position{1, 9}, {"turn_error", "why"}) ==
        "id: 1:9\ndata: {\"error\":{\"code\":\"turn_error\",\"message\":\"why\"}}\n\n");
  CHECK(encode_chat_error(std::nullopt, {"agent_timeout", "why"}) ==
        "data: {\"error\":{\"code\":\"agent_timeout\",\"message\":\"why\"}}\n\n");
}

TEST_CASE("the blocking answer is a chat.completion with the whole text") {
  interaction i;
  i.session = ses;
  i.entries = {{message_id("1"), entry_type::text, "Hello", {}, {}},
               {message_id("2"), entry_type::tool_call, "", {}, {}},
               {message_id("3"), entry_type::text, "you", {}, {}}};
  i.usage = token_usage{.total_tokens = 7, .input_tokens = 3, .output_tokens = 4};
  CHECK(chat_completion_body(i) ==
        R"({"id":"ses_01h2xcejqtf2nbrexx3vqjhp41","object":"chat.completion","created":0,"model":"agent","choices":)"
        R"([{"index":0,"message":{"role":"assistant","content":"Hello\n\nyou"},"finish_reason":"stop"}],"usage":)"
        R"({"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}})");
}

TEST_CASE("ids are read out of answers") {
  CHECK(id_of_session(R"({"id":"ses_x"})") == session_id("ses_x"));
  CHECK_FALSE(id_of_session("{}"));
  CHECK(interaction_of_message(message_body(prompt_id("p"), turn, true, {1, 2})) == turn);
}
