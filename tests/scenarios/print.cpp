#include "tests/scenarios/print.hpp"

#include <array>
#include <chrono>

#include "common/codec/render.hpp"

namespace throughline::tests {

using namespace state_sync;

namespace {

/// Texts longer than this are shown by their ends: stories are for reading.
constexpr std::size_t shown_max = 160;

std::string quote(std::string_view text) {
  std::string out = "\"";
  std::string shown(text);
  if (text.size() > shown_max) {
    shown = std::string(text.substr(0, 40)) + "..." + std::string(text.substr(text.size() - 40)) + "(" +
            std::to_string(text.size()) + " bytes)";
  }
  for (const char c : shown) {
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string print_entry(const entry& e) {
  auto out = e.id.text() + ":" + std::string(codec::name_of(e.type)) + " " + quote(e.content);
  if (!e.tool_name.empty() || !e.tool_status.empty()) out += " (" + e.tool_name + ", " + e.tool_status + ")";
  return out;
}

std::string print_entries(const std::vector<entry>& entries) {
  std::string out = "[";
  for (const auto& e : entries) out += (out.size() > 1 ? ", " : "") + print_entry(e);
  return out + "]";
}

std::string print_record(const interaction& i) {
  auto out = i.id.text() + " #" + std::to_string(i.ordinal) + " " + std::string(codec::name_of(i.state));
  if (!i.error_code.empty()) out += " " + i.error_code + " " + quote(i.error);
  out += i.prompt_message.empty() ? " unasked" : " prompt=" + quote(i.prompt_message);
  if (i.prompt) out += " id=" + i.prompt->text();
  if (!i.entries.empty()) out += " " + print_entries(i.entries);
  if (i.usage && i.usage->total_tokens) out += " tokens=" + std::to_string(*i.usage->total_tokens);
  return out;
}

std::string print_body(const session& s) {
  auto out = "session " + quote(s.name) + " agent=" + std::string(codec::name_of(s.agent.status));
  if (!s.agent.name.empty()) out += ":" + s.agent.name;
  if (s.parent) out += " parent=" + s.parent->text();
  if (s.zed_thread) out += " thread=" + s.zed_thread->text();
  if (s.waiting_interaction) out += " waiting=" + s.waiting_interaction->text();
  for (const auto& p : s.queue) out += " queued=" + p.interaction.text() + (p.interrupt ? "!" : "");
  return out + " total=" + std::to_string(s.interactions_total);
}

std::string print_body(const patch_set& set) {
  std::string out = "patch";
  for (const auto& p : set.patches) {
    out += " " + std::to_string(p.index) + "@" + std::to_string(p.patch_offset) + " " + p.id.text() + ":" +
           std::string(codec::name_of(p.type)) + " " + quote(p.patch) + "=" + std::to_string(p.total_length);
    if (!p.tool_name.empty() || !p.tool_status.empty()) out += " (" + p.tool_name + ", " + p.tool_status + ")";
  }
  return out + " count=" + std::to_string(set.entry_count);
}

std::string print_command(const agent_command& c) {
  if (const auto* m = std::get_if<agent::chat_message>(&c)) {
    return "chat_message " + m->request.text() + " thread=" + (m->thread ? m->thread->text() : "none") +
           (m->interrupt ? " interrupt " : " ") + (m->redelivered ? "redelivered " : "") + "agent=" + m->agent_name +
           " session=" + m->session.text() + " " + quote(m->message);
  }
  if (const auto* o = std::get_if<agent::open_thread>(&c)) {
    return "open_thread " + o->thread.text() + " " + o->request.text() + " agent=" + o->agent_name;
  }
  return "cancel_current_turn " + std::get<agent::cancel_current_turn>(c).request.text();
}

std::string print_order(const bridge_order& o) {
  if (const auto* w = std::get_if<write_command>(&o)) {
    return w->attachment.text() + " " + w->command.text() + " " + print_command(w->body);
  }
  if (const auto* s = std::get_if<supersede>(&o)) return s->attachment.text() + " supersede";
  const auto& close = std::get<close_attachment>(o);
  return close.attachment.text() + " close " + std::to_string(close.code);
}

std::string number(std::uint64_t n) {
  return std::to_string(n);
}
std::string when(const std::optional<instant>& t) {
  return t ? std::to_string(t->time_since_epoch().count()) : "-";
}
template <class Id>
std::string maybe(const std::optional<Id>& id) {
  return id ? id->text() : "-";
}

std::string row(const head_row& h) {
  return "head " + h.id.text() + " " + number(h.epoch) + ":" + number(h.seq) + " acl=" + number(h.acl_version) +
         " last=" + when(h.last_event_at) + (h.open ? " open" : "");
}
std::string row(const session_row& s) {
  return "session " + s.id.text() + " root=" + s.root.text() + " " + quote(s.name) + " " + s.owner.text() + " " +
         s.agent_name_wanted + " " + s.metadata + " updated=" + when(s.updated) +
         " status=" + number(static_cast<unsigned>(s.status)) + " " + s.agent_name + " since=" + when(s.agent_since) +
         " thread=" + maybe(s.zed_thread) + " waiting=" + maybe(s.waiting_interaction) +
         " request=" + maybe(s.last_request) + " at=" + when(s.request_started_at) + " next=" + number(s.next_ordinal) +
         (s.deleted ? " deleted" : "");
}
std::string row(const thread_row& t) {
  return "thread " + t.thread.text() + " session=" + t.session.text() + " " + t.title + (t.retired ? " retired" : "");
}
std::string row(const turn_row& t) {
  auto out = "turn " + print_record(t.record) + " session=" + t.record.session.text() +
             " origin=" + number(static_cast<unsigned>(t.origin)) + " thread=" + maybe(t.thread) +
             " command=" + maybe(t.command) + " taken=" + maybe(t.taken_over) +
             " message=" + maybe(t.prompt_message_id) + " lost=" + when(t.lost_since) +
             " doubt=" + when(t.doubt_since) + " frame=" + when(t.last_frame_at) +
             " cancel=" + when(t.cancel_deadline) + " completed=" + when(t.record.completed) +
             " updated=" + when(t.record.updated) + " folded=" + number(t.folded_seq);
  const std::array flags{std::pair{t.named, " named"},         std::pair{t.in_doubt, " in_doubt"},
                         std::pair{t.end_owed, " end_owed"},   std::pair{t.load_retried, " load_retried"},
                         std::pair{t.truncated, " truncated"}, std::pair{t.interrupt, " interrupt"}};
  for (const auto& [set, name] : flags) out += set ? name : "";
  for (const auto& s : t.silent) out += " silent=" + number(s.place) + ":" + s.value.id.text();
  for (const auto& d : t.digests) out += " digest=" + d.id.text() + ":" + number(d.length) + ":" + number(d.hash);
  for (const auto& c : t.cancel_ids) out += " cancels=" + quote(c);
  return out;
}
std::string row(const prompt_row& p) {
  return "prompt " + p.session.text() + " " + p.prompt.interaction.text() + " " + p.prompt.id.text() +
         " place=" + number(p.place) + (p.prompt.interrupt ? " interrupt " : " ") + quote(p.prompt.content);
}
std::string row(const attachment_row& a) {
  return "attachment " + a.id.text() + " #" + number(a.number) + " " + a.bridge.text() +
         " state=" + number(static_cast<unsigned>(a.state)) + (a.gate_open ? " ready=" + when(a.ready_at) : " shut") +
         " deadline=" + when(a.gate_deadline) + " open=" + maybe(a.open_thread_request) +
         " applied=" + number(a.applied) + " last=" + (a.last_number ? number(*a.last_number) : "-") +
         " superseded=" + when(a.superseded_at) + " instance=" + a.instance.value_or("-") +
         " seq=" + number(a.agent_seq) + (a.restarted ? " restarted" : "") +
         (a.suspect ? " suspect=" + number(a.suspect->number) + "-" + number(a.suspect->through) : "");
}
std::string row(const command_row& c) {
  return "command " + c.id.text() + " " + c.attachment.text() + " kind=" + number(static_cast<unsigned>(c.kind)) +
         " turn=" + maybe(c.interaction) + " request=" + c.request.text() + " thread=" + maybe(c.thread) +
         (c.state == command_state::written ? " written" : " sent") + (c.redelivered ? " redelivered" : "");
}
std::string row(const answer_row& a) {
  return "answer " + a.scope + " " + a.id + " " + a.fingerprint + " " + number(static_cast<unsigned>(a.status)) + " " +
         a.body;
}
std::string row(const fold_row& f) {
  return "fold " + f.interaction.text() + " at " + number(f.seq) + " " + print_entries(*f.entries);
}

}  // namespace

std::string print(const event& e) {
  auto out = "event " + e.session.text() + " " + to_text(e.at) + " ";
  if (const auto* s = std::get_if<std::shared_ptr<const session>>(&e.body)) return out + print_body(**s);
  if (const auto* i = std::get_if<std::shared_ptr<const interaction>>(&e.body))
    return out + "turn " + print_record(**i);
  return out + e.interaction.text() + " " + print_body(std::get<patch_set>(e.body));
}

std::string print(const reply& r) {
  struct {
    std::string operator()(const deferred& d) {
      return std::string(d.why == deferral::busy ? "busy" : "not_owner") + " after_ms=" + number(d.after_ms);
    }
    std::string operator()(const answer& a) { return std::to_string(a.status) + (a.body.empty() ? "" : " ") + a.body; }
    std::string operator()(const attached& a) {
      return "attached #" + number(a.number) + (a.agent_seq ? " seq=" + number(a.agent_seq) : "");
    }
    std::string operator()(const attach_refused& a) {
      return "attach_refused " + std::to_string(a.status) + " " + a.code +
             (a.retry_after_s ? " retry_after=" + number(a.retry_after_s) : "");
    }
    std::string operator()(const hand_over_result& h) {
      static constexpr std::array statuses{"applied", "expected", "need_full", "superseded", "unknown", "refused"};
      return statuses.at(static_cast<std::size_t>(h.status)) + std::string(" ") + number(h.number);
    }
    std::string operator()(const renewed&) { return "renewed"; }
    std::string operator()(const noted& n) {
      return !n.known ? "noted unknown" : n.superseded ? "noted superseded" : "noted";
    }
  } text;
  return std::visit(text, r);
}

std::vector<std::string> print(const consequences& c) {
  std::vector<std::string> out;
  for (const auto& o : c.orders) out.push_back("order " + o.to.text() + " " + print_order(o.what));
  for (const auto& n : c.notices) {
    out.push_back((n.what == notice::kind::deleted ? "notice deleted " : "notice access_changed ") + n.session.text());
  }
  if (c.frames_ignored > 0) out.push_back("ignored " + std::to_string(c.frames_ignored));
  for (const auto& r : c.replies) out.push_back("reply " + print(r.what));
  return out;
}

std::vector<std::string> print_rows(const changes& c) {
  std::vector<std::string> out;
  const auto put = [&](const auto& rows) {
    for (const auto& r : rows) out.push_back(row(r));
  };
  for (const auto& e : c.events) out.push_back(print(e));
  put(c.heads);
  put(c.sessions);
  put(c.threads);
  put(c.turns);
  put(c.folds);
  put(c.prompts);
  for (const auto& [s, i] : c.prompts_gone) out.push_back("prompt gone " + i.text());
  put(c.attachments);
  for (const auto& a : c.attachments_gone) out.push_back("attachment gone " + a.text());
  put(c.commands);
  for (const auto& x : c.commands_gone) out.push_back("command gone " + x.text());
  for (const auto& g : c.grants)
    out.push_back("grant " + g.value.user.text() + " " + std::string(codec::name_of(g.value.what)));
  for (const auto& [s, u] : c.grants_gone) out.push_back("grant gone " + u.text());
  for (const auto& t : c.tokens) out.push_back("token " + t.hash + " until " + when(t.expires));
  for (const auto& s : c.tokens_gone) out.push_back("tokens gone " + s.text());
  put(c.answers);
  return out;
}

std::string print(const turn_row& t) {
  return print_record(t.record);
}

}  // namespace throughline::tests
