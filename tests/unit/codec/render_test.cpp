#include "common/codec/render.hpp"

#include <doctest/doctest.h>

#include "common/codec/digest.hpp"
#include "common/delta/patch.hpp"

using namespace throughline;
using namespace throughline::codec;

namespace {

instant at(int seconds) {
  return instant(std::chrono::sys_days(std::chrono::year(2026) / 8 / 8)) + std::chrono::seconds(seconds);
}

session small_session() {
  session s;
  s.id = session_id("ses_1");
  s.owner = user_id("alice");
  s.name = "a \"name\"";
  s.created = at(0);
  s.updated = at(1);
  s.head = {1, 7};
  s.agent.since = at(2);
  return s;
}

interaction small_interaction() {
  interaction i;
  i.id = interaction_id("int_1");
  i.session = session_id("ses_1");
  i.ordinal = 3;
  i.created = at(0);
  i.updated = at(1);
  i.prompt_message = "hi";
  i.entries = {{message_id("1"), entry_type::text, "Hello", "", ""},
               {message_id("2"), entry_type::text, "", "", ""},
               {message_id("3"), entry_type::tool_call, "**Tool Call: ls** 📤", "ls", "Completed"}};
  return i;
}

template <class... Args>
std::string rendered_by(void (*render)(std::string&, Args...), std::type_identity_t<Args>... args) {
  std::string out;
  render(out, args...);
  return out;
}

constexpr std::string_view small_session_start =
    R"({"id":"ses_1","name":"a \"name\"","created":"2026-08-08T00:00:00.000000Z",)"
    R"("updated":"2026-08-08T00:00:01.000000Z","owner":"alice","owner_type":"user","epoch":1,"seq":7,)"
    R"("agent":{"status":"offline","name":"","since":"2026-08-08T00:00:02.000000Z","last_event_at":null},)"
    R"("config":{"metadata":{}},"queue":[],)";

constexpr std::string_view entries_text = R"([{"type":"text","content":"Hello","message_id":"1"},)"
                                          R"({"type":"tool_call","content":"**Tool Call: ls** 📤","message_id":"3",)"
                                          R"("tool_name":"ls","tool_status":"Completed"}])";

}  // namespace

TEST_CASE("Session JSON with the least") {
  CHECK(rendered_by(render_session, small_session(), std::nullopt) ==
        std::string(small_session_start) + R"("interactions":null,"interactions_total":0})");
  CHECK(rendered_by(render_session, small_session(), rendered{}) ==
        std::string(small_session_start) + R"("interactions":[],"interactions_total":0})");
}

TEST_CASE("Session JSON with everything") {
  auto s = small_session();
  s.parent = session_id("ses_0");
  s.agent = {agent_status::ready, "zed-agent", at(3), at(4)};
  s.zed_thread = thread_id("t");
  s.zed_agent_name = "zed";
  s.waiting_interaction = interaction_id("int_1");
  s.last_request = request_id("int_1");
  s.request_started_at = at(5);
  s.metadata = R"({"a":1})";
  s.queue = {{prompt_id("p"), interaction_id("int_2"), "next", true, at(6)}};
  s.interactions_total = 9;
  const std::string_view bodies[] = {R"({"id":"int_0"})", R"({"id":"int_1"})"};
  CHECK(rendered_by(render_session, s, rendered(bodies)) ==
        R"({"id":"ses_1","parent_session_id":"ses_0","name":"a \"name\"","created":"2026-08-08T00:00:00.000000Z",)"
        R"("updated":"2026-08-08T00:00:01.000000Z","owner":"alice","owner_type":"user","epoch":1,"seq":7,)"
        R"("agent":{"status":"ready","name":"zed-agent","since":"2026-08-08T00:00:03.000000Z",)"
        R"("last_event_at":"2026-08-08T00:00:04.000000Z"},)"
        R"("config":{"zed_thread_id":"t","zed_agent_name":"zed","waiting_interaction_id":"int_1",)"
        R"("last_request_id":"int_1","request_started_at":"2026-08-08T00:00:05.000000Z","metadata":{"a":1}},)"
        R"("queue":[{"prompt_id":"p","interaction_id":"int_2","content":"next","interrupt":true,)"
        R"("created":"2026-08-08T00:00:06.000000Z"}],)"
        R"("interactions":[{"id":"int_0"},{"id":"int_1"}],"interactions_total":9})");
}

TEST_CASE("Interaction JSON while it runs, and when it has ended") {
  auto i = small_interaction();
  CHECK(rendered_by(render_interaction, i) ==
        R"({"id":"int_1","session_id":"ses_1","generation_id":0,"ordinal":3,)"
        R"("created":"2026-08-08T00:00:00.000000Z","updated":"2026-08-08T00:00:01.000000Z","completed":null,)"
        R"("state":"waiting","error":"","prompt_message":"hi",)"
        R"("response_message":"Hello\n\n**Tool Call: ls** 📤","response_entries":)" +
            std::string(entries_text) + "}");
  i.state = turn_state::error;
  i.error = "gone";
  i.error_code = "agent_lost";
  i.completed = at(9);
  i.prompt = prompt_id("p");
  i.usage = token_usage{.total_tokens = 5, .output_tokens = 2};
  CHECK(rendered_by(render_interaction, i) ==
        R"({"id":"int_1","session_id":"ses_1","generation_id":0,"ordinal":3,)"
        R"("created":"2026-08-08T00:00:00.000000Z","updated":"2026-08-08T00:00:01.000000Z",)"
        R"("completed":"2026-08-08T00:00:09.000000Z","state":"error","error":"gone","error_code":"agent_lost",)"
        R"("prompt_message":"hi","prompt_id":"p",)"
        R"("response_message":"Hello\n\n**Tool Call: ls** 📤","response_entries":)" +
            std::string(entries_text) + R"(,"usage":{"total_tokens":5,"output_tokens":2},"entries_sha256":")" +
            entries_sha256(i.entries) + "\"}");
}

TEST_CASE("a patch event has offsets, nulls and order of the contract") {
  event e{session_id("ses_1"), {1, 8}, user_id("alice"), interaction_id("int_1"), at(0), {}};
  e.body = delta::diff({{message_id("1"), entry_type::text, "Hello", "", ""}},
                       {{message_id("1"), entry_type::text, "Hello\tworld", "", ""},
                        {message_id("2"), entry_type::tool_call, "📤", "ls", "Running"}});
  const std::string expected =
      R"({"type":"interaction_patch","session_id":"ses_1","interaction_id":"int_1","owner":"alice",)"
      R"("worker_task_response":null,"inference_response":null,"step_info":null,)"
      R"("entry_patches":[{"index":0,"message_id":"1","type":"text","patch":"\tworld","patch_offset":5,)"
      R"("total_length":11},{"index":1,"message_id":"2","type":"tool_call","patch":"📤","patch_offset":0,)"
      R"("total_length":2,"tool_name":"ls","tool_status":"Running"}],"entry_count":2,"epoch":1,"seq":8})";
  CHECK(rendered_by(render_event, e) == expected);
  std::string again;
  render_patch_event(again, e.session, e.interaction, e.owner, e.at, std::get<patch_set>(e.body));
  CHECK(again == expected);
  e.body = patch_set{{}, 0};
  CHECK(rendered_by(render_event, e).find(R"("entry_patches":[],"entry_count":0)") != std::string::npos);
}

TEST_CASE("session and interaction events") {
  event e{session_id("ses_1"), {2, 8}, user_id("alice"), {}, at(0), std::make_shared<const session>(small_session())};
  const auto text = rendered_by(render_event, e);
  CHECK(text.starts_with(
      R"({"type":"session_update","session_id":"ses_1","interaction_id":"","owner":"alice","session":{"id":"ses_1",)"));
  CHECK(text.find(R"("owner_type":"user","epoch":2,"seq":8,"agent")") != std::string::npos);
  CHECK(text.ends_with(R"("interactions":null,"interactions_total":0},)"
                       R"("worker_task_response":null,"inference_response":null,"step_info":null,"epoch":2,"seq":8})"));
  e.interaction = interaction_id("int_1");
  e.body = std::make_shared<const interaction>(small_interaction());
  CHECK(rendered_by(render_event, e) ==
        R"({"type":"interaction_update","session_id":"ses_1","interaction_id":"int_1","owner":"alice","interaction":)" +
            rendered_by(render_interaction, small_interaction()) +
            R"(,"worker_task_response":null,"inference_response":null,"step_info":null,"epoch":2,"seq":8})");
}

TEST_CASE("the first frame and its baseline") {
  const auto body = rendered_by(render_interaction, small_interaction());
  const std::string_view bodies[] = {body};
  CHECK(rendered_by(render_full_update, small_session(), rendered(bodies)) ==
        R"({"type":"session_update","session_id":"ses_1","interaction_id":"","owner":"alice","session":)" +
            std::string(small_session_start) + R"("interactions":[)" + body +
            R"(],"interactions_total":0},"worker_task_response":null,"inference_response":null,"step_info":null,)"
            R"("epoch":1,"seq":7})");
  CHECK(rendered_by(render_baseline, small_interaction(), user_id("alice"), position{1, 7}) ==
        R"({"type":"interaction_patch","session_id":"ses_1","interaction_id":"int_1","owner":"alice",)"
        R"("worker_task_response":null,"inference_response":null,"step_info":null,)"
        R"("entry_patches":[{"index":0,"message_id":"1","type":"text","patch":"Hello","patch_offset":0,)"
        R"("total_length":5},{"index":1,"message_id":"3","type":"tool_call","patch":"**Tool Call: ls** 📤",)"
        R"("patch_offset":0,"total_length":20,"tool_name":"ls","tool_status":"Completed"}],"entry_count":2,)"
        R"("epoch":1,"seq":7})");
}

TEST_CASE("text is escaped as JSON requires and no further") {
  std::string controls;
  for (char c = 1; c < 0x20; ++c) controls += c;
  CHECK(error_body("x", controls) ==
        R"({"error":{"code":"x","message":"\u0001\u0002\u0003\u0004\u0005\u0006\u0007\u0008\t\n\u000b\u000c\r\u000e)"
        R"(\u000f\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f"}})");
  CHECK(error_body("x", "\"\\/é📤\x7f") == "{\"error\":{\"code\":\"x\",\"message\":\"\\\"\\\\/é📤\x7f\"}}");
}

TEST_CASE("an escape is found wherever it stands") {
  for (std::size_t size = 0; size < 100; ++size) {
    const std::string plain(size, 'x');
    CHECK(with_field("{}", "a", plain) == "{\"a\":\"" + plain + "\"}");
    for (std::size_t at = 0; at < size; ++at) {
      auto text = plain;
      text[at] = '\n';
      auto escaped = plain;
      escaped.replace(at, 1, "\\n");
      REQUIRE(with_field("{}", "a", text) == "{\"a\":\"" + escaped + "\"}");
    }
  }
}

TEST_CASE("pages") {
  const std::string_view bodies[] = {R"({"id":1})", R"({"id":2})"};
  CHECK(rendered_by(render_session_page, rendered(bodies), page_of{1, 2, 5}) ==
        R"({"sessions":[{"id":1},{"id":2}],"page":1,"pageSize":2,"totalCount":5,"totalPages":3})");
  CHECK(rendered_by(render_interaction_page, rendered{}, page_of{0, 100, 0}) ==
        R"({"interactions":[],"page":0,"pageSize":100,"totalCount":0,"totalPages":0})");
}

TEST_CASE("answers") {
  CHECK(message_body(prompt_id("p"), interaction_id("int_1"), true, {1, 9}) ==
        R"({"prompt_id":"p","interaction_id":"int_1","state":"running","position":"1:9"})");
  CHECK(message_body(prompt_id("p"), interaction_id("int_1"), false, {1, 9}).find("queued") != std::string::npos);
  CHECK(cancel_body(true) == R"({"status":"cancelled"})");
  CHECK(cancel_body(false) == R"({"status":"noop"})");
  CHECK(deleted_body(session_id("ses_1")) == R"({"id":"ses_1"})");
  CHECK(grant_body({user_id("bob"), role::editor}) == R"({"user":"bob","role":"editor"})");
  CHECK(grants_body({{user_id("bob"), role::viewer}}) == R"({"grants":[{"user":"bob","role":"viewer"}]})");
  CHECK(agent_token_body(session_id("ses_1"), std::nullopt) == R"({"session_id":"ses_1","expires_at":null})");
  CHECK(with_field(agent_token_body(session_id("ses_1"), at(0)), "token", "ha-x") ==
        R"({"token":"ha-x","session_id":"ses_1","expires_at":"2026-08-08T00:00:00.000000Z"})");
  CHECK(with_field("{}", "key", "\"") == R"({"key":"\""})");
  CHECK(api_key_body("key_1", "ci", at(0)) == R"({"id":"key_1","name":"ci","created":"2026-08-08T00:00:00.000000Z"})");
  const auto agent = rendered_by(render_agent, session_id("ses_1"), agent_view{agent_status::online, "zed", at(0), {}});
  CHECK(agent == R"({"session_id":"ses_1","status":"online","name":"zed","since":"2026-08-08T00:00:00.000000Z",)"
                 R"("last_event_at":null})");
  const std::string_view agents[] = {agent};
  CHECK(rendered_by(render_agents, rendered(agents)) == "{\"agents\":[" + agent + "]}");
}
