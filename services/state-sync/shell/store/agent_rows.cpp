// Tables attachments and commands.

#include <sstream>
#include <string>

#include <fmt/ranges.h>

#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/row_names.hpp"
#include "services/state-sync/shell/store/statements.hpp"
#include "services/state-sync/shell/store/store.hpp"

namespace throughline::state_sync {

void prepare_agent_rows(pqxx::connection& sql) {
  sql.prepare("attachments_load",
              "SELECT root, id, number, bridge, instance, state, gate_open, gate_deadline_us, open_thread_request, "
              "ready_us, applied, last_number, attached_us, superseded_us, token_hash, "
              "suspect_number, suspect_through, suspect_by, agent_seq, restarted FROM attachments "
              "WHERE root = ANY($1::text[]) ORDER BY root, number");
  sql.prepare(
      "attachments_write",
      "INSERT INTO attachments (id, root, number, bridge, instance, state, gate_open, gate_deadline_us, "
      "open_thread_request, ready_us, applied, last_number, attached_us, superseded_us, token_hash, suspect_number, "
      "suspect_through, suspect_by, agent_seq, restarted) "
      "SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], "
      "$7::boolean[], $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], "
      "$14::bigint[], $15::text[], $16::bigint[], $17::bigint[], $18::text[], $19::bigint[], $20::boolean[]) "
      "ON CONFLICT (id) DO UPDATE SET bridge = "
      "excluded.bridge, state = excluded.state, "
      "gate_open = excluded.gate_open, gate_deadline_us = excluded.gate_deadline_us, "
      "open_thread_request = excluded.open_thread_request, ready_us = excluded.ready_us, "
      "applied = excluded.applied, last_number = excluded.last_number, "
      "superseded_us = excluded.superseded_us, suspect_number = excluded.suspect_number, "
      "suspect_through = excluded.suspect_through, suspect_by = excluded.suspect_by, "
      "agent_seq = excluded.agent_seq, restarted = excluded.restarted");
  sql.prepare("attachments_delete", "DELETE FROM attachments WHERE id = ANY($1::text[])");
  sql.prepare("commands_load",
              "SELECT s.root, c.id, c.session_id, c.attachment, c.kind, c.interaction, c.request, c.thread, "
              "c.interrupt, c.state, c.redelivered FROM sessions s JOIN commands c ON c.session_id = s.id "
              "WHERE s.root = ANY($1::text[]) ORDER BY c.id");
  sql.prepare(
      "commands_write",
      "INSERT INTO commands (id, session_id, attachment, kind, interaction, request, thread, interrupt, state, "
      "redelivered) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], "
      "$7::text[], $8::boolean[], $9::text[], $10::boolean[]) ON CONFLICT (id) DO UPDATE SET state = excluded.state, "
      "redelivered = excluded.redelivered");
  sql.prepare("commands_delete", "DELETE FROM commands WHERE id = ANY($1::text[])");
}

namespace {

std::optional<suspect_mark> read_suspect(row_reader& r) {
  const auto number = r.maybe_number();
  const auto through = r.maybe_number();
  const auto lives = r.maybe_text();
  if (!number || !through || !lives) return std::nullopt;
  suspect_mark mark{.number = *number, .through = *through};
  std::istringstream names(*lives);
  for (std::string life; names >> life;) mark.tried_by.push_back(std::move(life));
  return mark;
}

void add_suspect(row_batch& to, const std::optional<suspect_mark>& mark) {
  to.add(mark ? std::optional(mark->number) : std::nullopt);
  to.add(mark ? std::optional(mark->through) : std::nullopt);
  to.add(mark ? std::optional(fmt::format("{}", fmt::join(mark->tried_by, " "))) : std::nullopt);
}

}  // namespace

void store::load_agents(const std::string& roots, std::unordered_map<session_id, tree_rows>& trees) {
  for (const auto& row : run("attachments_load", {roots})) {
    row_reader r(row);
    attachment_row a;
    a.root = r.id<session_id>();
    a.id = r.id<attachment_id>();
    a.number = r.number();
    a.bridge = r.id<bridge_id>();
    a.instance = r.maybe_text();
    a.state = attachment_names.parse(r.text());
    a.gate_open = r.flag();
    a.gate_deadline = r.maybe_time();
    a.open_thread_request = r.maybe_id<request_id>();
    a.ready_at = r.maybe_time();
    a.applied = r.number();
    a.last_number = r.maybe_number();
    a.attached_at = r.time();
    a.superseded_at = r.maybe_time();
    a.token_hash = r.text();
    a.suspect = read_suspect(r);
    a.agent_seq = r.number();
    a.restarted = r.flag();
    auto& tree = trees[a.root];
    tree.attachments.push_back(std::move(a));
  }
  for (const auto& row : run("commands_load", {roots})) {
    row_reader r(row);
    auto& tree = trees[r.id<session_id>()];
    command_row c;
    c.id = r.id<command_id>();
    c.session = r.id<session_id>();
    c.attachment = r.id<attachment_id>();
    c.kind = command_kind_names.parse(r.text());
    c.interaction = r.maybe_id<interaction_id>();
    c.request = r.id<request_id>();
    c.thread = r.maybe_id<thread_id>();
    c.interrupt = r.flag();
    c.state = command_state_names.parse(r.text());
    c.redelivered = r.flag();
    tree.commands.push_back(std::move(c));
  }
}

void store::write_agents(const write_set& what) {
  std::vector<attachment_id> attachments_gone;
  row_batch attachments(20);
  for (const auto& [id, a] : what.attachments) {
    if (!a) {
      attachments_gone.push_back(id);
      continue;
    }
    attachments.add(a->id).add(a->root).add(a->number).add(a->bridge).add(a->instance);
    attachments.add(attachment_names(a->state)).add(a->gate_open).add(a->gate_deadline).add(a->open_thread_request);
    attachments.add(a->ready_at).add(a->applied).add(a->last_number).add(a->attached_at);
    attachments.add(a->superseded_at).add(a->token_hash);
    add_suspect(attachments, a->suspect);
    attachments.add(a->agent_seq).add(a->restarted);
  }
  std::vector<command_id> commands_gone;
  row_batch commands(10);
  for (const auto& [id, c] : what.commands) {
    if (!c) {
      commands_gone.push_back(id);
      continue;
    }
    commands.add(c->id).add(c->session).add(c->attachment).add(command_kind_names(c->kind)).add(c->interaction);
    commands.add(c->request).add(c->thread).add(c->interrupt).add(command_state_names(c->state));
    commands.add(c->redelivered);
  }
  if (!attachments_gone.empty()) run("attachments_delete", {id_array(attachments_gone)});
  if (!attachments.empty()) run("attachments_write", attachments.take());
  if (!commands_gone.empty()) run("commands_delete", {id_array(commands_gone)});
  if (!commands.empty()) run("commands_write", commands.take());
}

}  // namespace throughline::state_sync
