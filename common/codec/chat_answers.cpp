#include "common/codec/chat_answers.hpp"

#include <chrono>
#include <utility>

#include "common/codec/json_read.hpp"
#include "common/codec/json_write.hpp"
#include "common/codec/parse.hpp"

namespace throughline::codec {
namespace {

constexpr const char* code = "bad_stored";
constexpr std::string_view model_name = "agent";

std::uint64_t unix_seconds(instant at) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count());
}

/// Quotes inside strings are escaped, so these are the keys themselves.
std::string_view patch_list_of(std::string_view body) {
  constexpr std::string_view before = R"("entry_patches":)";
  const auto from = body.find(before);
  const auto to = body.rfind(R"(,"entry_count":)");
  if (from == std::string_view::npos || to == std::string_view::npos || to < from + before.size()) return {};
  return body.substr(from + before.size(), to - from - before.size());
}

result<answer_event> cut_session(answer_event out, std::string_view body) {
  const json_document document(body);
  if (!document.ok()) return fail(code, "not JSON: " + document.why());
  field_reader f(document.root(), code, "event");
  const auto inner = f.get("session");
  if (!inner) f.blame("session", "is missing");
  if (!f.ok()) return f.failure();
  field_reader s(*inner, code, "session");
  const auto queue = s.array("queue");
  const auto agent = s.get("agent");
  if (!agent) s.blame("agent", "is missing");
  if (!s.ok()) return s.failure();
  field_reader a(*agent, code, "agent");
  out.agent = a.text("status") + ' ' + a.text("since") + ' ' + a.text_or_empty("name");
  if (!a.ok()) return a.failure();
  for (const auto one : *queue) {
    field_reader q(one, code, "queue");
    out.queue.emplace_back(q.text("interaction_id"));
    if (!q.ok()) return q.failure();
  }
  return out;
}

template <class Id>
std::optional<Id> id_named(std::string_view json, const char* name) {
  const json_document document(json);
  if (!document.ok()) return std::nullopt;
  field_reader f(document.root(), code);
  auto id = f.id(name, outside_id_bytes_max);
  if (!f.ok()) return std::nullopt;
  return Id(std::move(id));
}

void write_head(json_writer& w, std::string_view id, std::string_view object, std::uint64_t created) {
  w.text("id", id);
  w.text("object", object);
  w.number("created", created);
  w.text("model", model_name);
}

void append_id_line(std::string& out, position at) {
  out += "id: ";
  out += to_text(at);
  out += '\n';
}

}  // namespace

result<answer_event> cut_answer_event(event_kind kind, position at, std::string_view body) {
  answer_event out{.kind = kind, .at = at};
  if (kind == event_kind::session_update) return cut_session(std::move(out), body);
  if (kind == event_kind::interaction_patch) {
    auto set = parse_patch_event(body);
    if (!set) return std::unexpected(std::move(set.error()));
    out.patches = *std::move(set);
    out.patch_list = patch_list_of(body);
    if (out.patch_list.empty()) return fail(code, "the patch list cannot be found");
    return out;
  }
  auto record = parse_interaction_event(body);
  if (!record) return std::unexpected(std::move(record.error()));
  out.record = std::make_shared<const throughline::interaction>(*std::move(record));
  return out;
}

std::optional<session_id> id_of_session(std::string_view session_json) {
  return id_named<session_id>(session_json, "id");
}

std::optional<interaction_id> interaction_of_message(std::string_view message_body) {
  return id_named<interaction_id>(message_body, "interaction_id");
}

std::string encode_chat_chunk(const session_id& session, const chat_chunk& chunk) {
  std::string out;
  append_id_line(out, chunk.at);
  out += "data: ";
  json_writer w(out);
  w.begin_object();
  write_head(w, session.text(), "chat.completion.chunk", 0);
  w.key("choices");
  w.begin_array();
  w.begin_object();
  w.number("index", 0);
  w.key("delta");
  w.begin_object();
  if (chunk.content) w.text("content", *chunk.content);
  w.end_object();
  chunk.stop ? w.text("finish_reason", "stop") : w.null("finish_reason");
  w.end_object();
  w.end_array();
  if (chunk.reset) w.flag("reset", true);
  if (!chunk.patch_list.empty()) w.raw("entry_patches", chunk.patch_list);
  if (chunk.entry_count) w.number("entry_count", *chunk.entry_count);
  w.end_object();
  out += "\n\n";
  return out;
}

std::string encode_chat_error(std::optional<position> at, const error& why) {
  std::string out;
  if (at) append_id_line(out, *at);
  out += "data: ";
  json_writer w(out);
  w.begin_object();
  w.key("error");
  w.begin_object();
  w.text("code", why.code);
  w.text("message", why.message);
  w.end_object();
  w.end_object();
  out += "\n\n";
  return out;
}

std::string response_text(const std::vector<entry>& entries) {
  std::string out;
  for (const auto& e : entries) {
    if (e.content.empty()) continue;
    if (!out.empty()) out += "\n\n";
    out += e.content;
  }
  return out;
}

std::string chat_completion_body(const interaction& done) {
  std::string out;
  json_writer w(out);
  w.begin_object();
  write_head(w, done.session.text(), "chat.completion", unix_seconds(done.created));
  w.key("choices");
  w.begin_array();
  w.begin_object();
  w.number("index", 0);
  w.key("message");
  w.begin_object();
  w.text("role", "assistant");
  w.text("content", response_text(done.entries));
  w.end_object();
  w.text("finish_reason", "stop");
  w.end_object();
  w.end_array();
  const auto usage = done.usage.value_or(token_usage{});
  w.key("usage");
  w.begin_object();
  w.number("prompt_tokens", usage.input_tokens.value_or(0));
  w.number("completion_tokens", usage.output_tokens.value_or(0));
  w.number("total_tokens", usage.total_tokens.value_or(0));
  w.end_object();
  w.end_object();
  return out;
}

}  // namespace throughline::codec
