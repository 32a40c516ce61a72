// The HTTP bodies: code, golden lines and the OpenAPI document held to one another.

#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include <doctest/doctest.h>

#include "common/codec/chat_answers.hpp"
#include "common/codec/http_bodies.hpp"
#include "common/codec/render.hpp"
#include "common/codec/time_text.hpp"
#include "tests/unit/codec/json_schema.hpp"

using namespace throughline;
using namespace throughline::codec;

namespace {

std::string file(const std::string& path) {
  std::ifstream in(std::string(THROUGHLINE_PROTO) + "/" + path);
  REQUIRE_MESSAGE(in.good(), path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

struct golden_line {
  std::string operation;
  std::string text;
  std::string code;
  std::string names;
  std::int64_t status = 0;
};

std::vector<golden_line> lines(const std::string& name) {
  std::istringstream in(file("golden/" + name + ".jsonl"));
  std::vector<golden_line> out;
  simdjson::dom::parser parser;
  for (std::string line; std::getline(in, line);) {
    const auto e = parser.parse(line).value();
    auto& one = out.emplace_back();
    const auto read = [&](const char* field, std::string& to) {
      std::string_view value;
      if (e[field].get(value) == simdjson::SUCCESS) to = value;
    };
    read("operation", one.operation);
    read("text", one.text);
    read("code", one.code);
    read("names", one.names);
    if (e["status"].get(one.status) != simdjson::SUCCESS) one.status = 0;
  }
  REQUIRE_FALSE(out.empty());
  return out;
}

/// The document, and where the schemas of its operations stand.
struct document {
  std::string text = file("openapi.json");
  test::json_schema schemas{text};
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(text).value();

  std::string pointer_of(std::string_view operation) {
    for (const auto& [path, item] : root["paths"].get_object().value()) {
      for (const auto& [method, what] : item.get_object().value()) {
        std::string_view id;
        if (method == "parameters" || what["operationId"].get(id) != simdjson::SUCCESS || id != operation) continue;
        std::string escaped;
        for (const char c : path) escaped += c == '/' ? std::string("~1") : std::string(1, c);
        return "/paths/" + escaped + "/" + std::string(method);
      }
    }
    FAIL("no such operation: " << operation);
    return {};
  }
  bool accepts_request(const golden_line& one) {
    return schemas.accepts(one.text, pointer_of(one.operation) + "/requestBody/content/application~1json/schema");
  }
  bool accepts_answer(const golden_line& one) {
    const auto at = pointer_of(one.operation) + "/responses/" + std::to_string(one.status);
    std::string_view shared;
    const bool is_shared = root.at_pointer(at + "/$ref").get(shared) == simdjson::SUCCESS;
    const auto where = is_shared ? std::string(shared.substr(1)) : at;
    return schemas.accepts(one.text, where + "/content/application~1json/schema");
  }
};

using decoder = std::function<std::optional<error>(const std::string& text)>;

template <class Body>
decoder by(result<Body> (*decode)(std::string_view)) {
  return [decode](const std::string& text) -> std::optional<error> {
    const auto body = decode(text);
    if (body) return std::nullopt;
    return body.error();
  };
}

std::optional<error> decode(const golden_line& one) {
  static const std::map<std::string, decoder> decoders = {{"create_session", by(decode_create)},
                                                          {"rename_session", by(decode_rename)},
                                                          {"post_message", by(decode_post_message)},
                                                          {"cancel", by(decode_cancel)},
                                                          {"chat", by(decode_chat)},
                                                          {"mint_agent_token", by(decode_mint_token)},
                                                          {"put_grant", by(decode_put_grant)},
                                                          {"issue_key", by(decode_create_key)}};
  return decoders.at(one.operation)(one.text);
}

const session_id ses("ses_01h2xcejqtf2nbrexx3vqjhp41");
const interaction_id turn("int_01h2xcejqtf2nbrexx3vqjhp41");

template <class Render>
std::string text_of(Render render) {
  std::string out;
  render(out);
  return out;
}

/// What the code writes, in the order of the golden lines.
std::vector<std::string> written() {
  const auto at = parse_time("2026-08-08T10:00:00.000000Z").value();
  const grant bob{user_id("bob"), role::viewer};
  const auto child = is_child_session();
  const auto none = no_such_session();
  interaction done;
  done.session = ses;
  done.id = turn;
  done.created = at;
  done.entries = {{message_id("1"), entry_type::text, "Hello", "", ""}};
  done.usage = token_usage{.total_tokens = 12, .input_tokens = 8, .output_tokens = 4};
  const auto agents = text_of([&](std::string& out) {
    const auto one = text_of([&](std::string& o) { render_agent(o, ses, {agent_status::ready, "zed-agent", at, {}}); });
    const std::vector<std::string_view> all{one};
    render_agents(out, all);
  });
  return {message_body(prompt_id("key-1"), turn, false, {1, 6}),
          cancel_body(false),
          deleted_body(ses),
          grant_body(bob),
          grants_body({bob}),
          with_field(agent_token_body(ses, std::nullopt), "token", "ha-x_-1"),
          with_field(api_key_body("key_1", "ci", at), "key", "hl-x_-1"),
          text_of([](std::string& out) { render_session_page(out, {}, {3, 50, 101}); }),
          text_of([](std::string& out) { render_interaction_page(out, {}, {0, 100, 0}); }),
          agents,
          chat_completion_body(done),
          error_body("turn_error", "out of tokens"),
          error_body(none.code, none.message),
          error_body(child.code, child.message)};
}

}  // namespace

TEST_CASE("what a client may send is what the document says") {
  document doc;
  for (const auto& one : lines("http_requests.valid")) {
    CAPTURE(one.text);
    const auto fault = decode(one);
    if (fault) FAIL_CHECK(fault->message);
    CHECK(doc.accepts_request(one));
  }
  for (const auto& one : lines("http_requests.invalid")) {
    CAPTURE(one.text);
    const auto fault = decode(one);
    REQUIRE(fault);
    CHECK(fault->code == one.code);
    CHECK(fault->message.find(one.names) != std::string::npos);
    CHECK_FALSE(doc.accepts_request(one));
  }
}

TEST_CASE("what is answered is what the document says") {
  document doc;
  const auto golden = lines("http_answers.valid");
  const auto ours = written();
  REQUIRE(golden.size() == ours.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    CHECK(ours[i] == golden[i].text);
    CHECK_MESSAGE(doc.accepts_answer(golden[i]), golden[i].text);
  }
  CHECK_FALSE(doc.accepts_answer(
      {.operation = "cancel", .text = R"({"status":"ok"})", .code = {}, .names = {}, .status = 200}));
}

TEST_CASE("the document's events, sessions and interactions are those of the sockets") {
  document doc;
  std::istringstream valid(file("golden/events.valid.jsonl"));
  for (std::string line; std::getline(valid, line);) {
    CAPTURE(line);
    CHECK(doc.schemas.accepts(line, "/components/schemas/Event"));
    simdjson::dom::parser parser;
    const auto event = parser.parse(line).value();
    simdjson::dom::element inner;
    if (event["session"].get(inner) == simdjson::SUCCESS) {
      CHECK(doc.schemas.accepts(simdjson::minify(inner), "/components/schemas/Session"));
    }
    if (event["interaction"].get(inner) == simdjson::SUCCESS) {
      CHECK(doc.schemas.accepts(simdjson::minify(inner), "/components/schemas/Interaction"));
    }
  }
  const auto events = file("schemas/events.json");
  simdjson::dom::parser parser;
  const auto definitions = parser.parse(events)["definitions"].get_object().value();
  const std::map<std::string_view, std::string> names = {
      {"session_id", "SessionId"},    {"time", "Time"},
      {"time_or_null", "TimeOrNull"}, {"entry", "Entry"},
      {"entry_patch", "EntryPatch"},  {"usage", "Usage"},
      {"interaction", "Interaction"}, {"agent", "AgentView"},
      {"config", "SessionConfig"},    {"queued_prompt", "QueuedPrompt"},
      {"session", "Session"}};
  CHECK(definitions.size() == names.size());
  for (const auto& [name, schema] : definitions) {
    std::string same = simdjson::minify(schema);
    for (const auto& [theirs, ours] : names) {
      const auto from = "#/definitions/" + std::string(theirs) + '"';
      const auto to = "#/components/schemas/" + ours + '"';
      for (auto at = same.find(from); at != std::string::npos; at = same.find(from, at + to.size())) {
        same.replace(at, from.size(), to);
      }
    }
    CHECK(same == simdjson::minify(doc.root["components"]["schemas"][names.at(name)].value()));
  }
}
