#include "common/codec/render.hpp"

#include "common/base/utf.hpp"
#include "common/codec/digest.hpp"
#include "common/codec/json_write.hpp"
#include "common/codec/names.hpp"
#include "common/codec/render_parts.hpp"

namespace throughline::codec {
namespace {

void write_agent_fields(json_writer& w, const agent_view& agent) {
  w.text("status", enum_name(agent.status));
  w.text("name", agent.name);
  write_time(w, "since", agent.since);
  write_time_or_null(w, "last_event_at", agent.last_event_at);
}

void write_config(json_writer& w, const session& s) {
  w.begin_object();
  if (s.zed_thread) w.text("zed_thread_id", s.zed_thread->text());
  if (!s.zed_agent_name.empty()) w.text("zed_agent_name", s.zed_agent_name);
  if (s.waiting_interaction) w.text("waiting_interaction_id", s.waiting_interaction->text());
  if (s.last_request) w.text("last_request_id", s.last_request->text());
  if (s.request_started_at) write_time(w, "request_started_at", *s.request_started_at);
  w.raw("metadata", s.metadata.empty() ? "{}" : s.metadata);
  w.end_object();
}

void write_queue(json_writer& w, const std::vector<queued_prompt>& queue) {
  w.begin_array();
  for (const auto& q : queue) {
    w.begin_object();
    w.text("prompt_id", q.id.text());
    w.text("interaction_id", q.interaction.text());
    w.text("content", q.content);
    w.flag("interrupt", q.interrupt);
    write_time(w, "created", q.created);
    w.end_object();
  }
  w.end_array();
}

void write_session(json_writer& w, const session& s, position head, std::optional<rendered> interactions) {
  w.begin_object();
  w.text("id", s.id.text());
  if (s.parent) w.text("parent_session_id", s.parent->text());
  w.text("name", s.name);
  write_time(w, "created", s.created);
  write_time(w, "updated", s.updated);
  w.text("owner", s.owner.text());
  w.text("owner_type", "user");
  w.number("epoch", head.epoch);
  w.number("seq", head.seq);
  w.key("agent");
  w.begin_object();
  write_agent_fields(w, s.agent);
  w.end_object();
  w.key("config");
  write_config(w, s);
  w.key("queue");
  write_queue(w, s.queue);
  w.key("interactions");
  interactions ? write_rendered(w, *interactions) : w.null();
  w.number("interactions_total", s.interactions_total);
  w.end_object();
}

/// The contents that are not empty, joined by a blank line.
void write_response(json_writer& w, const std::vector<entry>& entries) {
  w.begin_text();
  bool first = true;
  for (const auto& e : entries) {
    if (e.content.empty()) continue;
    if (!first) append_escaped(w.out(), "\n\n");
    first = false;
    append_escaped(w.out(), e.content);
  }
  w.end_text();
}

void write_interaction(json_writer& w, const interaction& i) {
  w.begin_object();
  w.text("id", i.id.text());
  w.text("session_id", i.session.text());
  w.number("generation_id", 0);
  w.number("ordinal", i.ordinal);
  write_time(w, "created", i.created);
  write_time(w, "updated", i.updated);
  write_time_or_null(w, "completed", i.completed);
  w.text("state", enum_name(i.state));
  w.text("error", i.error);
  if (!i.error_code.empty()) w.text("error_code", i.error_code);
  w.text("prompt_message", i.prompt_message);
  if (i.prompt) w.text("prompt_id", i.prompt->text());
  w.key("response_message");
  write_response(w, i.entries);
  w.key("response_entries");
  w.begin_array();
  for (const auto& e : i.entries) {
    if (!e.content.empty()) write_entry(w, e);
  }
  w.end_array();
  if (i.usage) {
    w.key("usage");
    write_usage(w, *i.usage);
  }
  if (is_terminal(i.state)) w.text("entries_sha256", entries_sha256(i.entries));
  w.end_object();
}

/// `text` is the part of the entry that the patch adds, of which the list has `total` UTF-16 units afterwards.
struct one_patch {
  std::size_t index;
  std::string_view message_id;
  entry_type type;
  std::string_view text;
  std::size_t offset;
  std::size_t total;
  std::string_view tool_name;
  std::string_view tool_status;
};

void write_patch(json_writer& w, const one_patch& p) {
  w.begin_object();
  w.number("index", p.index);
  w.text("message_id", p.message_id);
  w.text("type", enum_name(p.type));
  w.text("patch", p.text);
  // Zero is said: a browser takes an absent offset for the whole text (P-B5).
  w.number("patch_offset", p.offset);
  w.number("total_length", p.total);
  if (!p.tool_name.empty()) w.text("tool_name", p.tool_name);
  if (!p.tool_status.empty()) w.text("tool_status", p.tool_status);
  w.end_object();
}

void write_patches(json_writer& w, const patch_set& set) {
  w.begin_array();
  for (const auto& p : set.patches) {
    write_patch(w, {p.index, p.id.text(), p.type, p.patch, p.patch_offset, p.total_length, p.tool_name, p.tool_status});
  }
  w.end_array();
}

/// The frame of P-B3 around one body.
struct envelope {
  event_kind kind;
  const session_id& session;
  const interaction_id& interaction;
  const user_id& owner;
  position at;
};

void begin_frame(json_writer& w, const envelope& e) {
  w.begin_object();
  w.text("type", enum_name(e.kind));
  w.text("session_id", e.session.text());
  w.text("interaction_id", e.interaction.text());
  w.text("owner", e.owner.text());
}
void write_nulls(json_writer& w) {
  w.null("worker_task_response");
  w.null("inference_response");
  w.null("step_info");
}
void end_frame(json_writer& w, const envelope& e) {
  w.number("epoch", e.at.epoch);
  w.number("seq", e.at.seq);
  w.end_object();
}

const interaction_id no_interaction;

}  // namespace

void render_session(std::string& out, const session& s, std::optional<rendered> interactions) {
  json_writer w(out);
  write_session(w, s, s.head, interactions);
}

void render_interaction(std::string& out, const interaction& i) {
  json_writer w(out);
  write_interaction(w, i);
}

void render_event(std::string& out, const event& e) {
  if (const auto* set = std::get_if<patch_set>(&e.body)) {
    return render_patch_event(out, e.session, e.interaction, e.owner, e.at, *set);
  }
  json_writer w(out);
  const envelope frame{kind_of(e), e.session, e.interaction, e.owner, e.at};
  begin_frame(w, frame);
  if (const auto* s = std::get_if<std::shared_ptr<const session>>(&e.body)) {
    w.key("session");
    write_session(w, **s, e.at, std::nullopt);
  } else {
    w.key("interaction");
    write_interaction(w, *std::get<std::shared_ptr<const interaction>>(e.body));
  }
  write_nulls(w);
  end_frame(w, frame);
}

void render_patch_event(std::string& out, const session_id& session, const interaction_id& interaction,
                        const user_id& owner, position at, const patch_set& set) {
  json_writer w(out);
  const envelope frame{event_kind::interaction_patch, session, interaction, owner, at};
  begin_frame(w, frame);
  write_nulls(w);
  w.key("entry_patches");
  write_patches(w, set);
  w.number("entry_count", set.entry_count);
  end_frame(w, frame);
}

void render_full_update(std::string& out, const session& s, rendered interactions) {
  json_writer w(out);
  const envelope frame{event_kind::session_update, s.id, no_interaction, s.owner, s.head};
  begin_frame(w, frame);
  w.key("session");
  write_session(w, s, s.head, interactions);
  write_nulls(w);
  end_frame(w, frame);
}

void render_baseline(std::string& out, const interaction& i, const user_id& owner, position at) {
  json_writer w(out);
  const envelope frame{event_kind::interaction_patch, i.session, i.id, owner, at};
  begin_frame(w, frame);
  write_nulls(w);
  w.key("entry_patches");
  w.begin_array();
  std::size_t count = 0;
  for (const auto& e : i.entries) {
    if (e.content.empty()) continue;
    write_patch(w, {count++, e.id.text(), e.type, e.content, 0, utf16_length(e.content), e.tool_name, e.tool_status});
  }
  w.end_array();
  w.number("entry_count", count);
  end_frame(w, frame);
}

void render_patches(std::string& out, const patch_set& set) {
  json_writer w(out);
  write_patches(w, set);
}

void render_agent(std::string& out, const session_id& session, const agent_view& agent) {
  json_writer w(out);
  w.begin_object();
  w.text("session_id", session.text());
  write_agent_fields(w, agent);
  w.end_object();
}

}  // namespace throughline::codec
