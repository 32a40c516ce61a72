#include "common/codec/http_bodies.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/codec/json_read.hpp"
#include "common/codec/metadata.hpp"
#include "common/codec/names.hpp"

namespace throughline::codec {
namespace {

constexpr const char* bad_request = "bad_request";
constexpr std::size_t agent_name_bytes_max = 256;

using simdjson::dom::element;

/// Parses, checks that it is an object, and lets `read` fill a `Body` from its fields.
template <class Body, class Read>
result<Body> decode_object(std::string_view json, Read read) {
  const json_document document(json.empty() ? "{}" : json);
  if (!document.ok()) return fail(bad_request, "the body is not JSON: " + document.why());
  if (!document.root().is_object()) return fail(bad_request, "the body is not an object");
  field_reader f(document.root(), bad_request);
  Body out;
  read(f, out);
  if (!f.ok()) return f.failure();
  return out;
}

std::string read_name(field_reader& f, const char* name, std::size_t bytes_max) {
  auto text = f.text_or_empty(name);
  if (text.size() > bytes_max) f.blame(name, "is longer than " + std::to_string(bytes_max) + " bytes");
  return text;
}

void check_prompt(field_reader& f, const char* name, const std::string& content) {
  if (content.empty()) f.blame(name, "is empty");
  if (content.size() > prompt_bytes_max) f.blame_as("too_large", name, "is longer than 1 MiB");
}

std::string text_of_part(field_reader& f, element part) {
  std::string text;
  if (take_text(part, text)) return text;
  if (part.is_object()) {
    field_reader inner(part, bad_request, "part");
    const auto type = inner.text("type");
    if (inner.ok() && type == "text") {
      text = inner.text("text");
      if (!inner.ok()) f.blame("messages.content.parts", "has a text part without text");
      return text;
    }
  }
  f.blame_as("unsupported_content", "messages.content.parts", "holds something other than text");
  return {};
}

/// The text of the one user message; parts are joined by a newline.
std::string read_user_message(field_reader& f, element message) {
  field_reader m(message, bad_request, "message");
  if (m.text("role") != "user" && m.ok()) m.blame("role", "is not user");
  const auto content = m.get("content");
  if (!content) m.blame("content", "is missing");
  if (!m.ok()) {
    f.blame("messages", m.failure().error().message);
    return {};
  }
  field_reader c(*content, bad_request, "content");
  const auto parts = c.array("parts");
  if (!c.ok()) {
    f.blame("messages", c.failure().error().message);
    return {};
  }
  std::string text;
  bool first = true;
  for (const auto part : *parts) {
    if (!first) text += '\n';
    first = false;
    text += text_of_part(f, part);
  }
  return text;
}

void read_chat(field_reader& f, chat_body& out) {
  if (auto id = f.id_or_empty("session_id", outside_id_bytes_max); !id.empty()) out.session = session_id(std::move(id));
  out.stream = f.flag_or("stream", false);
  out.interrupt = f.flag_or("interrupt", false);
  const auto messages = f.array("messages");
  if (!f.ok()) return;
  if (messages->size() != 1) return f.blame_as("one_message_only", "messages", "must hold exactly one message");
  out.content = read_user_message(f, messages->at(0).value_unsafe());
  if (f.ok()) check_prompt(f, "messages.content", out.content);
}

}  // namespace

result<create_body> decode_create(std::string_view json) {
  return decode_object<create_body>(json, [](field_reader& f, create_body& out) {
    out.name = read_name(f, "name", name_bytes_max);
    out.agent_name = read_name(f, "agent_name", agent_name_bytes_max);
    const auto metadata = f.get("metadata");
    if (!metadata) return;
    if (!metadata->is_object()) return f.blame("metadata", "is not an object");
    out.metadata.clear();
    if (!append_sanitised(out.metadata, *metadata)) return f.blame("metadata", "holds text that is not Unicode");
    if (out.metadata.size() > metadata_bytes_max) f.blame_as("too_large", "metadata", "is longer than 16 KiB");
  });
}

result<rename_body> decode_rename(std::string_view json) {
  return decode_object<rename_body>(json, [](field_reader& f, rename_body& out) {
    out.name = read_name(f, "name", name_bytes_max);
    if (out.name.empty()) f.blame("name", "is missing or empty");
  });
}

result<post_message_body> decode_post_message(std::string_view json) {
  return decode_object<post_message_body>(json, [](field_reader& f, post_message_body& out) {
    out.content = f.text("content");
    check_prompt(f, "content", out.content);
    out.interrupt = f.flag_or("interrupt", false);
    const auto id = f.get("id");
    if (!id) return;
    std::string_view text;
    const bool is_text = id->get_string().get(text) == simdjson::SUCCESS;
    auto checked = is_text ? check_idempotency_id(text) : fail(bad_request, "id is not a string");
    if (checked) {
      out.id = *std::move(checked);
    } else {
      f.blame("id", "must be a string of 1 to 128 bytes without control characters");
    }
  });
}

result<cancel_turn_body> decode_cancel(std::string_view json) {
  return decode_object<cancel_turn_body>(json, [](field_reader& f, cancel_turn_body& out) {
    if (f.has("interaction_id")) out.interaction = interaction_id(f.id("interaction_id", outside_id_bytes_max));
  });
}

result<put_grant_body> decode_put_grant(std::string_view json) {
  return decode_object<put_grant_body>(json, [](field_reader& f, put_grant_body& out) {
    const auto what = enum_named<role>(f.text("role"));
    if (!what) f.blame("role", "is neither viewer nor editor");
    out.what = what.value_or(role::viewer);
  });
}

result<create_key_body> decode_create_key(std::string_view json) {
  return decode_object<create_key_body>(
      json, [](field_reader& f, create_key_body& out) { out.name = read_name(f, "name", name_bytes_max); });
}

result<mint_token_body> decode_mint_token(std::string_view json) {
  return decode_object<mint_token_body>(json, [](field_reader& f, mint_token_body& out) {
    if (!f.has("ttl")) return;
    out.ttl = parse_duration(f.text("ttl"));
    if (!out.ttl) f.blame("ttl", "is not a duration such as 90s, 15m or 24h");
  });
}

result<chat_body> decode_chat(std::string_view json) {
  return decode_object<chat_body>(json, read_chat);
}

std::optional<session_id> session_of_chat(std::string_view json) {
  const auto named = decode_object<std::string>(
      json, [](field_reader& f, std::string& out) { out = f.id_or_empty("session_id", outside_id_bytes_max); });
  if (!named || named->empty()) return std::nullopt;
  return session_id(*named);
}

result<std::string> check_idempotency_id(std::string_view id) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  const bool usable = !id.empty() && id.size() <= idempotency_id_bytes_max && !std::ranges::any_of(id, is_control) &&
                      simdjson::validate_utf8(id.data(), id.size());
  if (!usable) return fail(bad_request, "an id must have 1 to 128 bytes and no control characters");
  return std::string(id);
}

std::optional<millis> parse_duration(std::string_view text) {
  constexpr std::int64_t ms_max = std::int64_t{100} * 365 * 24 * 3600 * 1000;
  std::int64_t n = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (fault != std::errc{} || n <= 0) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const std::int64_t factor = unit == "ms"  ? 1
                              : unit == "s" ? 1000
                              : unit == "m" ? 60'000
                              : unit == "h" ? 3'600'000
                                            : 0;
  if (factor == 0 || n > ms_max / factor) return std::nullopt;
  return millis(n * factor);
}

int http_status_of(std::string_view code) {
  const auto* found = std::ranges::find(http_statuses, code, &status_of_code::code);
  return found == http_statuses.end() ? 500 : found->status;
}

}  // namespace throughline::codec
