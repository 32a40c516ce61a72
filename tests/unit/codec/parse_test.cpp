#include "common/codec/parse.hpp"

#include <doctest/doctest.h>

#include "common/codec/render.hpp"

using namespace throughline;
using namespace throughline::codec;

namespace {

interaction full_interaction() {
  interaction i;
  i.id = interaction_id("int_1");
  i.session = session_id("ses_1");
  i.ordinal = 3;
  i.created = instant(micros(1'000'001));
  i.updated = instant(micros(2'000'002));
  i.completed = instant(micros(3'000'003));
  i.state = turn_state::interrupted;
  i.error = "gone \"away\"";
  i.error_code = "agent_lost";
  i.prompt_message = "hi\n📤";
  i.prompt = prompt_id("p");
  i.entries = {{message_id("1"), entry_type::text, "Hello\t", "", ""},
               {message_id("3"), entry_type::tool_call, "**Tool Call: ls**", "ls", "Completed"}};
  i.usage = token_usage{.total_tokens = 5, .cached_write_tokens = 0};
  return i;
}

std::string json_of(const interaction& i) {
  std::string out;
  render_interaction(out, i);
  return out;
}

}  // namespace

TEST_CASE("an interaction is read back whole") {
  const auto i = full_interaction();
  const auto back = parse_interaction(json_of(i));
  if (!back) FAIL(back.error().message);
  CHECK(json_of(*back) == json_of(i));
  CHECK(back->entries == i.entries);
  CHECK(back->usage == i.usage);
  CHECK(back->completed == i.completed);
  CHECK(back->prompt == i.prompt);

  interaction least;
  const auto small = parse_interaction(json_of(least));
  REQUIRE(small);
  CHECK(json_of(*small) == json_of(least));
  CHECK_FALSE(small->completed);
  CHECK_FALSE(small->prompt);
  CHECK_FALSE(small->usage);
}

TEST_CASE("events are read back, and told by their bodies") {
  event e{session_id("ses_1"), {1, 8}, user_id("alice"), interaction_id("int_1"), {}, {}};
  const patch_set set{{{0, message_id("1"), entry_type::text, "é\n", 5, 7, "", ""},
                       {2, message_id("3"), entry_type::tool_call, "", 4, 4, "ls", "Done"}},
                      3};
  e.body = set;
  std::string body;
  render_event(body, e);
  CHECK(parse_patch_event(body).value() == set);
  CHECK(headers_of_body(body).value() == headers_of(e));
  CHECK(parse_interaction_event(body).error().code == "bad_stored");

  e.body = std::make_shared<const interaction>(full_interaction());
  body.clear();
  render_event(body, e);
  CHECK(json_of(parse_interaction_event(body).value()) == json_of(full_interaction()));
  CHECK(headers_of_body(body).value() == headers_of(e));
  CHECK(headers_of_body(body)->terminal);
  CHECK(parse_patch_event(body).error().code == "bad_stored");

  e.body = std::make_shared<const session>();
  e.interaction = {};
  body.clear();
  render_event(body, e);
  CHECK(headers_of_body(body).value() == headers_of(e));
}

TEST_CASE("patches that cannot be are refused") {
  const auto event = [](std::string_view patches, int count) {
    return R"({"type":"interaction_patch","entry_patches":)" + std::string(patches) + R"(,"entry_count":)" +
           std::to_string(count) + "}";
  };
  CHECK(parse_patch_event(event("[]", 0)).has_value());
  CHECK_FALSE(parse_patch_event(event("[]", 100'000'000)));
  CHECK_FALSE(parse_patch_event(event("{}", 1)));
  CHECK_FALSE(parse_patch_event(event("[1]", 1)));
  CHECK_FALSE(parse_patch_event(
      event(R"([{"index":1,"message_id":"1","type":"text","patch":"","patch_offset":0,"total_length":0}])", 1)));
  CHECK_FALSE(parse_patch_event(event(R"([{"index":0,"message_id":"1","type":"text","patch":""}])", 1)));
  CHECK_FALSE(parse_patch_event(""));
}

TEST_CASE("entries as a fold stores them, the empty ones too") {
  const std::vector<entry> entries = {{message_id("1"), entry_type::text, "", "", ""},
                                      {message_id("2"), entry_type::tool_call, "x", "ls", "Done"}};
  std::string json;
  render_entries(json, entries);
  CHECK(json == R"([{"type":"text","content":"","message_id":"1"},)"
                R"({"type":"tool_call","content":"x","message_id":"2","tool_name":"ls","tool_status":"Done"}])");
  CHECK(parse_entries(json).value() == entries);
  CHECK(parse_entries("[]").value().empty());
  CHECK_FALSE(parse_entries("{}"));
  CHECK_FALSE(parse_entries(R"([{"type":"image","content":"","message_id":"1"}])"));
}

TEST_CASE("usage and access lists") {
  const token_usage usage{1, 2, 3, 4, 5, 6};
  std::string json;
  render_usage(json, usage);
  CHECK(parse_usage(json).value() == usage);
  CHECK(parse_usage("{}").value() == token_usage{});
  CHECK_FALSE(parse_usage("3"));

  const access_list access{user_id("alice"), {{user_id("bob"), role::editor}}, 4};
  json.clear();
  render_access(json, access, 9);
  CHECK(json == R"({"epoch":9,"owner":"alice","version":4,"grants":[{"user":"bob","role":"editor"}]})");
  const auto back = parse_access(json);
  REQUIRE(back);
  CHECK(back->epoch == 9);
  CHECK(back->access.owner == user_id("alice"));
  CHECK(back->access.version == 4);
  REQUIRE(back->access.grants.size() == 1);
  CHECK(back->access.grants[0].user == user_id("bob"));
  CHECK(back->access.grants[0].what == role::editor);
  CHECK_FALSE(parse_access(R"({"epoch":9,"owner":"alice","version":4,"grants":[{"user":"bob","role":"king"}]})"));
}

TEST_CASE("names are read back") {
  CHECK(parse_agent_status("online") == agent_status::online);
  CHECK(parse_turn_state("interrupted") == turn_state::interrupted);
  CHECK(parse_role("editor") == role::editor);
  CHECK(parse_entry_type("tool_call") == entry_type::tool_call);
  CHECK(parse_event_kind("interaction_patch") == event_kind::interaction_patch);
  CHECK_FALSE(parse_turn_state("Complete"));
  CHECK_FALSE(parse_role(""));
}
