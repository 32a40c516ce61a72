#include "common/codec/names.hpp"
#include "common/codec/render.hpp"
#include "common/codec/render_parts.hpp"
#include "common/codec/time_text.hpp"

namespace throughline::codec {
namespace {

template <class Fill>
std::string object(Fill fill) {
  std::string out;
  json_writer w(out);
  w.begin_object();
  fill(w);
  w.end_object();
  return out;
}

void write_grant(json_writer& w, const grant& g) {
  w.begin_object();
  w.text("user", g.user.text());
  w.text("role", enum_name(g.what));
  w.end_object();
}

void write_grants(json_writer& w, const std::vector<grant>& grants) {
  w.key("grants");
  w.begin_array();
  for (const auto& g : grants) write_grant(w, g);
  w.end_array();
}

void render_page(std::string& out, std::string_view name, rendered items, const page_of& page) {
  json_writer w(out);
  w.begin_object();
  w.key(name);
  write_rendered(w, items);
  w.number("page", page.page);
  w.number("pageSize", page.per_page);
  w.number("totalCount", page.total);
  w.number("totalPages", page.per_page == 0 ? 0 : (page.total + page.per_page - 1) / page.per_page);
  w.end_object();
}

}  // namespace

void write_time(json_writer& w, std::string_view name, instant at) {
  w.key(name);
  w.begin_text();
  append_time(w.out(), at);
  w.end_text();
}

void write_time_or_null(json_writer& w, std::string_view name, const std::optional<instant>& at) {
  at ? write_time(w, name, *at) : w.null(name);
}

void write_rendered(json_writer& w, rendered bodies) {
  w.begin_array();
  for (const auto body : bodies) w.raw(body);
  w.end_array();
}

void write_entry(json_writer& w, const entry& e) {
  w.begin_object();
  w.text("type", enum_name(e.type));
  w.text("content", e.content);
  w.text("message_id", e.id.text());
  if (!e.tool_name.empty()) w.text("tool_name", e.tool_name);
  if (!e.tool_status.empty()) w.text("tool_status", e.tool_status);
  w.end_object();
}

void write_usage(json_writer& w, const token_usage& usage) {
  const auto count = [&](std::string_view name, const std::optional<std::uint64_t>& n) {
    if (n) w.number(name, *n);
  };
  w.begin_object();
  count("total_tokens", usage.total_tokens);
  count("input_tokens", usage.input_tokens);
  count("output_tokens", usage.output_tokens);
  count("thought_tokens", usage.thought_tokens);
  count("cached_read_tokens", usage.cached_read_tokens);
  count("cached_write_tokens", usage.cached_write_tokens);
  w.end_object();
}

void render_session_page(std::string& out, rendered sessions, const page_of& page) {
  render_page(out, "sessions", sessions, page);
}

void render_interaction_page(std::string& out, rendered interactions, const page_of& page) {
  render_page(out, "interactions", interactions, page);
}

void render_agents(std::string& out, rendered agents) {
  json_writer w(out);
  w.begin_object();
  w.key("agents");
  write_rendered(w, agents);
  w.end_object();
}

std::string error_body(std::string_view code, std::string_view message) {
  return object([&](json_writer& w) {
    w.key("error");
    w.begin_object();
    w.text("code", code);
    w.text("message", message);
    w.end_object();
  });
}

error no_such_session() {
  return {"not_found", "There is no such session."};
}

error is_child_session() {
  return {"child_session", "A child session has the grants and tokens of its root."};
}

std::string message_body(const prompt_id& prompt, const interaction_id& interaction, bool running, position at) {
  return object([&](json_writer& w) {
    w.text("prompt_id", prompt.text());
    w.text("interaction_id", interaction.text());
    w.text("state", running ? "running" : "queued");
    w.text("position", to_text(at));
  });
}

std::string cancel_body(bool cancelled) {
  return object([&](json_writer& w) { w.text("status", cancelled ? "cancelled" : "noop"); });
}

std::string deleted_body(const session_id& session) {
  return object([&](json_writer& w) { w.text("id", session.text()); });
}

std::string grant_body(const grant& g) {
  std::string out;
  json_writer w(out);
  write_grant(w, g);
  return out;
}

std::string grants_body(const std::vector<grant>& grants) {
  return object([&](json_writer& w) { write_grants(w, grants); });
}

std::string agent_token_body(const session_id& session, std::optional<instant> expires) {
  return object([&](json_writer& w) {
    w.text("session_id", session.text());
    write_time_or_null(w, "expires_at", expires);
  });
}

std::string api_key_body(std::string_view id, std::string_view name, instant created) {
  return object([&](json_writer& w) {
    w.text("id", id);
    w.text("name", name);
    write_time(w, "created", created);
  });
}

std::string with_field(std::string_view body, std::string_view name, std::string_view value) {
  std::string out = "{";
  append_quoted(out, name);
  out += ':';
  append_quoted(out, value);
  const auto rest = body.empty() ? std::string_view("}") : body.substr(1);
  if (rest != "}") out += ',';
  out += rest;
  return out;
}

void render_access(std::string& out, const access_list& access, std::uint64_t epoch) {
  json_writer w(out);
  w.begin_object();
  w.number("epoch", epoch);
  w.text("owner", access.owner.text());
  w.number("version", access.version);
  write_grants(w, access.grants);
  w.end_object();
}

void render_entries(std::string& out, const std::vector<entry>& entries) {
  json_writer w(out);
  w.begin_array();
  for (const auto& e : entries) write_entry(w, e);
  w.end_array();
}

void render_usage(std::string& out, const token_usage& usage) {
  json_writer w(out);
  write_usage(w, usage);
}

std::string_view name_of(agent_status s) {
  return enum_name(s);
}
std::string_view name_of(turn_state s) {
  return enum_name(s);
}
std::string_view name_of(role r) {
  return enum_name(r);
}
std::string_view name_of(entry_type t) {
  return enum_name(t);
}
std::string_view name_of(event_kind k) {
  return enum_name(k);
}

}  // namespace throughline::codec
