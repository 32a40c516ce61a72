#include "services/state-sync/core/commands.hpp"

#include <ranges>
#include <utility>

#include "services/state-sync/core/attachments.hpp"

namespace throughline::state_sync {
namespace {

void order_write(step& s, const command_row& c) {
  const auto over = s.tree.attachments.find(c.attachment);
  if (over == s.tree.attachments.end()) return;
  s.order(over->second.bridge, write_command{c.attachment, c.id, build_command(s, c)});
}

command_row& send(step& s, command_row row) {
  row.id = command_id{s.new_id("cmd_")};
  const auto id = row.id;
  auto& kept = s.tree.commands.emplace(id, std::move(row)).first->second;
  s.changed(kept);
  order_write(s, kept);
  return kept;
}

/// Nothing reached the agent, for its socket is gone: a prompt waits to be sent over another (queue.cpp).
void not_written(step& s, const command_row& c) {
  auto* t = c.interaction ? s.tree.find_turn(*c.interaction) : nullptr;
  const auto attachment = c.attachment;
  const bool was_prompt = c.kind == command_kind::chat_message && t && t->open() && t->row.command == c.id;
  // That this one was not written says nothing of an earlier one: what is known of the prompt stays as it is.
  if (!was_prompt || !c.redelivered) s.gone(command_id{c.id});
  if (was_prompt && !t->row.named && !s.tree.commands.contains(*t->row.command)) unsend(s, *t);
  if (auto* over = s.tree.connected(); over && over->id == attachment) lose(s, *over);
}

const std::string& agent_of(const member& m) {
  return m.row.agent_name_wanted.empty() ? m.row.agent_name : m.row.agent_name_wanted;
}

bool is_numbered(const tree_state& tree, const command_row& c) {
  const auto over = tree.attachments.find(c.attachment);
  return over != tree.attachments.end() && over->second.instance;
}

}  // namespace

agent_command build_command(step& s, const command_row& c) {
  const auto& m = s.tree.members.at(c.session);
  switch (c.kind) {
    case command_kind::open_thread:
      return agent::open_thread{c.thread.value_or(thread_id{}), c.request, agent_of(m), m.id()};
    case command_kind::cancel_current_turn:
      return agent::cancel_current_turn{c.request, m.id()};
    case command_kind::chat_message:
      break;
  }
  const auto* t = c.interaction ? s.tree.find_turn(*c.interaction) : nullptr;
  if (!t) throw broken_invariant{"command without its turn: " + c.id.text()};
  return agent::chat_message{.message = t->row.record.prompt_message,
                             .request = c.request,
                             .interaction = t->id(),
                             .thread = c.thread,
                             .agent_name = agent_of(m),
                             .session = m.id(),
                             .interrupt = c.interrupt,
                             .redelivered = c.redelivered && is_numbered(s.tree, c)};
}

void send_prompt(step& s, turn& t, const attachment_row& over, bool again) {
  auto& m = s.session_of(t);
  t.row.thread = m.row.zed_thread;
  const auto& c = send(s, {.session = m.id(),
                           .attachment = over.id,
                           .kind = command_kind::chat_message,
                           .interaction = t.id(),
                           .request = s.tree.request_of(t),
                           .thread = m.row.zed_thread,
                           .interrupt = t.row.interrupt,
                           .redelivered = again});
  t.row.command = c.id;
  t.row.lost_since.reset();
  s.changed(t);
}

void unsend(step& s, turn& t) {
  if (t.row.command) s.gone(command_id{*t.row.command});
  t.row.command.reset();
  t.row.in_doubt = false;
  t.row.doubt_since.reset();
  s.changed(t);
}

void send_open_thread(step& s, attachment_row& over) {
  auto& root = *s.tree.root();
  if (!root.row.zed_thread) return;
  const auto* t = s.tree.open_turn_on(*root.row.zed_thread);
  const auto request = t && t->holds_queue() ? s.tree.request_of(*t) : request_id{s.new_id("req_")};
  over.open_thread_request = request;
  s.changed(over);
  send(s, {.session = root.id(),
           .attachment = over.id,
           .kind = command_kind::open_thread,
           .request = request,
           .thread = root.row.zed_thread});
}

void send_cancel(step& s, turn& t, const attachment_row& over) {
  send(s, {.session = t.row.record.session,
           .attachment = over.id,
           .kind = command_kind::cancel_current_turn,
           .interaction = t.id(),
           .request = s.tree.request_of(t)});
}

void order_again(step& s) {
  for (const auto kind : {command_kind::open_thread, command_kind::chat_message, command_kind::cancel_current_turn}) {
    for (const auto& c : s.tree.commands | std::views::values) {
      if (c.kind == kind && c.state == command_state::sent) order_write(s, c);
    }
  }
  for (const auto& a : s.tree.attachments | std::views::values) {
    if (a.state == attachment_state::superseded) s.order(a.bridge, supersede{a.id});
  }
}

void on_outcome(step& s, reply_token from, const command_outcome& o) {
  s.reply(from, noted{});
  const auto found = s.tree.commands.find(o.command);
  if (found == s.tree.commands.end()) return;
  auto& c = found->second;
  if (!o.written) return not_written(s, c);
  if (c.kind != command_kind::chat_message) return s.gone(command_id{c.id});
  if (c.state == command_state::written) return;
  c.state = command_state::written;
  s.changed(c);
}

}  // namespace throughline::state_sync
