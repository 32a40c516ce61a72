#include "common/codec/parse.hpp"

#include <utility>

#include "common/codec/json_read.hpp"
#include "common/codec/names.hpp"
#include "common/codec/time_text.hpp"

namespace throughline::codec {
namespace {

constexpr const char* code = "bad_stored";
constexpr std::size_t entry_count_max = 1'000'000;

using simdjson::dom::element;

template <class Enum>
Enum read_enum(field_reader& f, const char* name) {
  const auto value = enum_named<Enum>(f.text(name));
  if (!value) f.blame(name, "is none of its names");
  return value.value_or(Enum{});
}

instant read_time(field_reader& f, const char* name) {
  const auto at = parse_time(f.text(name));
  if (!at) f.blame(name, "is no time");
  return at.value_or(instant{});
}

entry read_entry(field_reader& f) {
  entry e;
  e.type = read_enum<entry_type>(f, "type");
  e.content = f.text("content");
  e.id = message_id(f.text("message_id"));
  e.tool_name = f.text_or_empty("tool_name");
  e.tool_status = f.text_or_empty("tool_status");
  return e;
}

entry_patch read_patch(field_reader& f) {
  entry_patch p;
  p.index = f.number("index");
  p.id = message_id(f.text("message_id"));
  p.type = read_enum<entry_type>(f, "type");
  p.patch = f.text("patch");
  p.patch_offset = f.number("patch_offset");
  p.total_length = f.number("total_length");
  p.tool_name = f.text_or_empty("tool_name");
  p.tool_status = f.text_or_empty("tool_status");
  return p;
}

result<std::vector<entry>> read_entries(simdjson::dom::array list) {
  std::vector<entry> out;
  for (const auto one : list) {
    field_reader f(one, code, "entry");
    out.push_back(read_entry(f));
    if (!f.ok()) return f.failure();
  }
  return out;
}

token_usage read_usage(element object) {
  const auto count = [&](const char* name) -> std::optional<std::uint64_t> {
    std::uint64_t n = 0;
    if (object.at_key(name).get_uint64().get(n) != simdjson::SUCCESS) return std::nullopt;
    return n;
  };
  return {count("total_tokens"),   count("input_tokens"),       count("output_tokens"),
          count("thought_tokens"), count("cached_read_tokens"), count("cached_write_tokens")};
}

result<interaction> read_interaction(element object) {
  field_reader f(object, code, "interaction");
  interaction i;
  i.id = interaction_id(f.text("id"));
  i.session = session_id(f.text("session_id"));
  i.ordinal = f.number("ordinal");
  i.created = read_time(f, "created");
  i.updated = read_time(f, "updated");
  if (f.has("completed")) i.completed = read_time(f, "completed");
  i.state = read_enum<turn_state>(f, "state");
  i.error = f.text("error");
  i.error_code = f.text_or_empty("error_code");
  i.prompt_message = f.text("prompt_message");
  if (f.has("prompt_id")) i.prompt = prompt_id(f.text("prompt_id"));
  if (const auto usage = f.get("usage")) i.usage = read_usage(*usage);
  const auto list = f.array("response_entries");
  if (!f.ok()) return f.failure();
  auto entries = read_entries(*list);
  if (!entries) return std::unexpected(std::move(entries.error()));
  i.entries = *std::move(entries);
  return i;
}

std::unexpected<error> not_json(const json_document& document) {
  return fail(code, "not JSON: " + document.why());
}

/// The body under `name` of an event of `kind`.
result<element> body_of(const json_document& document, event_kind kind, const char* name) {
  if (!document.ok()) return not_json(document);
  field_reader f(document.root(), code, "event");
  if (read_enum<event_kind>(f, "type") != kind) f.blame("type", "is another");
  const auto body = f.get(name);
  if (!body) f.blame(name, "is missing");
  if (!f.ok()) return f.failure();
  return *body;
}

}  // namespace

result<patch_set> parse_patch_event(std::string_view body) {
  const json_document document(body);
  const auto patches = body_of(document, event_kind::interaction_patch, "entry_patches");
  if (!patches) return std::unexpected(patches.error());
  field_reader f(document.root(), code, "event");
  const auto list = f.array("entry_patches");
  patch_set out;
  out.entry_count = f.number("entry_count");
  if (out.entry_count > entry_count_max) f.blame("entry_count", "is too large");
  if (!f.ok()) return f.failure();
  for (const auto one : *list) {
    field_reader p(one, code, "patch");
    out.patches.push_back(read_patch(p));
    if (out.patches.back().index >= out.entry_count) p.blame("index", "is not below entry_count");
    if (!p.ok()) return p.failure();
  }
  return out;
}

result<interaction> parse_interaction_event(std::string_view body) {
  const json_document document(body);
  const auto inner = body_of(document, event_kind::interaction_update, "interaction");
  if (!inner) return std::unexpected(inner.error());
  return read_interaction(*inner);
}

result<interaction> parse_interaction(std::string_view json) {
  const json_document document(json);
  if (!document.ok()) return not_json(document);
  return read_interaction(document.root());
}

result<event_headers> headers_of_body(std::string_view body) {
  const json_document document(body);
  if (!document.ok()) return not_json(document);
  field_reader f(document.root(), code, "event");
  event_headers h;
  h.kind = static_cast<message_kind>(read_enum<event_kind>(f, "type"));
  h.at = {f.number("epoch"), f.number("seq")};
  h.interaction = interaction_id(f.text("interaction_id"));
  if (!f.ok()) return f.failure();
  if (h.at.epoch == 0 || h.at.seq == 0) return fail(code, "event.epoch or seq is 0");
  if (const auto inner = f.get("interaction"); h.kind == message_kind::interaction_update && inner) {
    field_reader i(*inner, code, "interaction");
    h.terminal = is_terminal(read_enum<turn_state>(i, "state"));
    if (!i.ok()) return i.failure();
  }
  return h;
}

result<std::vector<entry>> parse_entries(std::string_view json) {
  const json_document document(json);
  simdjson::dom::array list;
  if (!document.ok()) return not_json(document);
  if (document.root().get_array().get(list) != simdjson::SUCCESS) return fail(code, "entries are not a list");
  return read_entries(list);
}

result<token_usage> parse_usage(std::string_view json) {
  const json_document document(json);
  if (!document.ok()) return not_json(document);
  if (!document.root().is_object()) return fail(code, "usage is not an object");
  return read_usage(document.root());
}

result<access_notice> parse_access(std::string_view json) {
  const json_document document(json);
  if (!document.ok()) return not_json(document);
  field_reader f(document.root(), code, "access");
  access_notice out;
  out.epoch = f.number("epoch");
  out.access.owner = user_id(f.text("owner"));
  out.access.version = f.number("version");
  const auto list = f.array("grants");
  if (!f.ok()) return f.failure();
  for (const auto one : *list) {
    field_reader g(one, code, "grant");
    auto user = g.text("user");
    const auto what = read_enum<role>(g, "role");
    if (!g.ok()) return g.failure();
    out.access.grants.push_back({user_id(std::move(user)), what});
  }
  return out;
}

std::optional<agent_status> parse_agent_status(std::string_view name) {
  return enum_named<agent_status>(name);
}
std::optional<turn_state> parse_turn_state(std::string_view name) {
  return enum_named<turn_state>(name);
}
std::optional<role> parse_role(std::string_view name) {
  return enum_named<role>(name);
}
std::optional<entry_type> parse_entry_type(std::string_view name) {
  return enum_named<entry_type>(name);
}
std::optional<event_kind> parse_event_kind(std::string_view name) {
  return enum_named<event_kind>(name);
}

}  // namespace throughline::codec
