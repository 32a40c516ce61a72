#include "common/codec/agent_frames.hpp"

#include <array>
#include <utility>

#include "common/base/utf.hpp"
#include "common/codec/json_read.hpp"

namespace throughline::codec {
namespace {

// Text that is not content and not an id is cut, not refused: losing a frame for a long title would lose a turn.
constexpr std::size_t title_bytes_max = 1024;
constexpr std::size_t agent_name_bytes_max = 256;
constexpr std::size_t tool_text_bytes_max = 1024;
constexpr std::size_t error_bytes_max = std::size_t{64} << 10;
constexpr std::size_t type_bytes_max = 64;

struct frame_reader {
  field_reader data;
  std::size_t entry_bytes_max;

  thread_id thread() {
    const char* name = data.has("acp_thread_id") || !data.has("context_id") ? "acp_thread_id" : "context_id";
    return thread_id(data.id(name, outside_id_bytes_max));
  }
  /// Stock agents leave it empty where they know none.
  request_id request() { return request_id(data.id_or_empty("request_id", outside_id_bytes_max)); }
  request_id required_request() {
    if (!data.has("request_id")) data.blame("request_id", "is missing");
    return request();
  }
  std::string agent_name() { return data.text_up_to("agent_name", agent_name_bytes_max); }
  std::optional<std::string> title() { return data.optional_text_up_to("title", title_bytes_max); }
  std::string error_text() {
    auto text = data.text_up_to("error", error_bytes_max);
    return text.empty() ? "Unknown error from external agent" : text;
  }
};

agent_event read_ping(frame_reader&) {
  return agent::ping{};
}

agent_event read_agent_ready(frame_reader& f) {
  agent::agent_ready e;
  e.agent_name = f.agent_name();
  if (auto id = f.data.id_or_empty("thread_id", outside_id_bytes_max); !id.empty()) e.thread = thread_id(std::move(id));
  return e;
}

agent_event read_thread_created(frame_reader& f) {
  agent::thread_created e;
  e.thread = f.thread();
  e.request = f.request();
  e.title = f.title();
  return e;
}

agent_event read_user_created_thread(frame_reader& f) {
  agent::user_created_thread e;
  e.thread = f.thread();
  e.title = f.title();
  return e;
}

agent_event read_thread_title_changed(frame_reader& f) {
  agent::thread_title_changed e;
  e.thread = f.thread();
  auto title = f.title();
  if (!title) f.data.blame("title", "is missing");
  e.title = std::move(title).value_or("");
  return e;
}

std::optional<entry_type> type_of(const std::string& name) {
  if (name == "text") return entry_type::text;
  if (name == "tool_call") return entry_type::tool_call;
  return std::nullopt;
}

agent_event read_message_added(frame_reader& f) {
  agent::message_added e;
  e.thread = f.thread();
  e.message = message_id(f.data.id("message_id", outside_id_bytes_max));
  e.role = f.data.text("role") == "assistant" ? agent::author::assistant : agent::author::user;
  e.type = type_of(f.data.text_or_empty("entry_type"));
  auto content = f.data.text("content");
  truncate_content(content, f.entry_bytes_max);
  e.content = text_delta{.base = std::nullopt, .keep = 0, .text = std::move(content)};
  e.request = f.request();
  e.tool_name = f.data.text_up_to("tool_name", tool_text_bytes_max);
  e.tool_status = f.data.text_up_to("tool_status", tool_text_bytes_max);
  return e;
}

/// Counts that are no whole numbers are as good as not reported: a completion is never lost for them.
std::optional<token_usage> read_usage(const field_reader& data) {
  const auto usage = data.get("usage");
  if (!usage || !usage->is_object()) return std::nullopt;
  const auto count = [&](const char* name) -> std::optional<std::uint64_t> {
    std::uint64_t n = 0;
    if (usage->at_key(name).get_uint64().get(n) != simdjson::SUCCESS) return std::nullopt;
    return n;
  };
  return token_usage{.total_tokens = count("total_tokens"),
                     .input_tokens = count("input_tokens"),
                     .output_tokens = count("output_tokens"),
                     .thought_tokens = count("thought_tokens"),
                     .cached_read_tokens = count("cached_read_tokens"),
                     .cached_write_tokens = count("cached_write_tokens")};
}

agent_event read_message_completed(frame_reader& f) {
  agent::message_completed e;
  e.thread = f.thread();
  e.request = f.request();
  e.agent_name = f.agent_name();
  e.usage = read_usage(f.data);
  return e;
}

agent_event read_thread_load_error(frame_reader& f) {
  agent::thread_load_error e;
  e.thread = f.thread();
  e.request = f.request();
  e.error = f.error_text();
  return e;
}

agent_event read_chat_response_error(frame_reader& f) {
  agent::chat_response_error e;
  e.request = f.required_request();
  e.error = f.error_text();
  return e;
}

agent_event read_turn_cancelled(frame_reader& f) {
  agent::turn_cancelled e;
  e.request = f.required_request();
  const auto status = f.data.text("status");
  if (status != "cancelled" && status != "noop") f.data.blame("status", "is neither cancelled nor noop");
  e.cancelled = status == "cancelled";
  return e;
}

struct event_type {
  std::string_view name;
  agent_event (*read)(frame_reader&);
};

/// Ordered by how often they come. The legacy chat_response* and the no-ops of P-A7 are not here: ignored as unknown.
constexpr std::array<event_type, 11> event_types = {{
    {"message_added", read_message_added},
    {"message_completed", read_message_completed},
    {"agent_ready", read_agent_ready},
    {"ping", read_ping},
    {"thread_created", read_thread_created},
    {"context_created", read_thread_created},
    {"thread_title_changed", read_thread_title_changed},
    {"user_created_thread", read_user_created_thread},
    {"turn_cancelled", read_turn_cancelled},
    {"chat_response_error", read_chat_response_error},
    {"thread_load_error", read_thread_load_error},
}};

std::optional<std::uint64_t> read_seq(const field_reader& top) {
  const auto seq = top.get("seq");
  std::uint64_t n = 0;
  if (!seq || seq->get_uint64().get(n) != simdjson::SUCCESS || n == 0 || n > agent_seq_max) return std::nullopt;
  return n;
}

}  // namespace

bool truncate_content(std::string& content, std::size_t bytes_max) {
  if (content.size() <= bytes_max) return false;
  const std::string_view mark = truncation_mark;
  const auto room = bytes_max > mark.size() ? bytes_max - mark.size() : 0;
  content.resize(code_point_floor(content, room));
  content += mark;
  return true;
}

std::optional<std::uint64_t> agent_seq_of(std::string_view text) {
  const json_document document(text);
  if (!document.ok()) return std::nullopt;
  return read_seq(field_reader(document.root(), "bad_frame"));
}

result<agent_frame> decode_agent_frame(std::string_view text, std::size_t entry_bytes_max) {
  constexpr const char* code = "bad_frame";
  const json_document document(text);
  if (!document.ok()) return fail(code, "not JSON: " + document.why());
  field_reader top(document.root(), code);
  const auto type = top.text("event_type");
  if (top.ok() && !top.has("data")) top.blame("data", "is missing");
  if (!top.ok()) return top.failure();

  frame_reader f{field_reader(*top.get("data"), code, "data"), entry_bytes_max};
  if (!f.data.ok()) return f.data.failure();
  agent_frame out;
  out.seq = read_seq(top);
  for (const auto& known : event_types) {
    if (known.name != type) continue;
    out.what = known.read(f);
    if (!f.data.ok()) return f.data.failure();
    return out;
  }
  out.what = unknown_event{type.substr(0, code_point_floor(type, type_bytes_max))};
  return out;
}

}  // namespace throughline::codec
