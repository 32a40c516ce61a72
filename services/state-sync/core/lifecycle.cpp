#include "services/state-sync/core/lifecycle.hpp"

#include <utility>
#include <vector>

#include "services/state-sync/core/answers.hpp"
#include "services/state-sync/core/cancel.hpp"
#include "services/state-sync/core/instances.hpp"

namespace throughline::state_sync {
namespace {

void drop_commands(step& s, const turn& t) {
  std::vector<command_id> done;
  for (const auto& [id, c] : s.tree.commands) {
    if (c.interaction == t.id()) done.push_back(id);
  }
  for (const auto& id : done) s.gone(id);
}

void stop_clocks(turn_row& row) {
  row.command.reset();
  row.lost_since.reset();
  row.doubt_since.reset();
  row.last_frame_at.reset();
  row.cancel_deadline.reset();
  row.in_doubt = false;
}

void clear_routing(session_row& row) {
  row.waiting_interaction.reset();
  row.last_request.reset();
  row.request_started_at.reset();
}

}  // namespace

turn& begin(step& s, member& m, turn_row row) {
  row.record.session = m.id();
  row.record.ordinal = m.row.next_ordinal++;
  row.record.created = row.record.updated = m.row.updated = s.at.now;
  auto& t = s.tree.add(std::move(row));
  s.changed(m);
  s.show(t);
  t.row.folded_seq = m.head.seq;
  s.show_at_end(m);
  return t;
}

void end(step& s, turn& t, ending how) {
  auto& m = s.session_of(t);
  s.show_output(m);
  set_state(t, how.to);
  auto& record = t.row.record;
  record.error = std::move(how.text);
  record.error_code = how.code.empty() && t.text.truncated() ? "turn_truncated" : std::move(how.code);
  record.completed = record.updated = m.row.updated = s.at.now;
  t.row.end_owed = !how.by_agent;
  drop_commands(s, t);
  stop_clocks(t.row);
  decide_cancel(s, t);
  s.tree.index_finished(t);
  if (m.row.waiting_interaction == t.id()) clear_routing(m.row);
  s.changed(m);
  s.show(t);
  t.row.folded_seq = m.head.seq;
  s.show_at_end(m);
}

void end_by_completion(step& s, turn& t) {
  if (t.text.visible_count() > 0 || t.row.origin == turn_origin::unasked) return end(s, t, {turn_state::complete});
  end(s, t, {turn_state::error, "empty_response", "The agent ended the turn without an answer."});
}

void end_unasked_on(step& s, const thread_id& thread) {
  auto* t = s.tree.open_turn_on(thread);
  if (t && t->row.origin == turn_origin::unasked) end(s, *t, {turn_state::complete});
}

void doubt(step& s, turn& t) {
  const auto* over = s.tree.connected();
  t.row.in_doubt = true;
  if (over && over->ready_at) t.row.doubt_since = s.at.now;
  s.changed(t);
}

void doubt_open_on(step& s, const thread_id& thread) {
  auto* t = s.tree.open_turn_on(thread);
  if (!t || t->unsent()) return;
  t->row.origin == turn_origin::unasked ? end(s, *t, {turn_state::complete}) : doubt(s, *t);
}

void doubt_taker_of(step& s, const request_id& id) {
  auto* taker = s.tree.taker_of(id, nullptr);
  if (taker && taker->open()) doubt(s, *taker);
}

void ended_again(step& s, turn& t, const request_id& under, const thread_id& on) {
  const bool owed = std::exchange(t.row.end_owed, false);
  if (owed) s.changed(t);
  const auto* open = s.tree.open_turn_on(on);
  if (!owed || (open && open->row.taken_over == under)) doubt_open_on(s, on);
}

void seen(step& s, turn& t, const attachment_row& on, bool named) {
  auto& m = s.session_of(t);
  m.head.last_event_at = s.at.now;
  s.head_changed(m);
  const auto* now_on = s.tree.connected();
  // Over an older socket of the same instance it is as good as over the newest one.
  const bool here = now_on && (now_on->id == on.id || is_same_instance(*now_on, on));
  auto& row = t.row;
  const auto lost = here ? std::optional<instant>{} : s.at.now;
  const auto doubt = row.in_doubt && now_on && now_on->ready_at ? std::optional{s.at.now} : std::nullopt;
  const bool unasked = row.origin == turn_origin::unasked;
  const auto frame_at = unasked ? std::optional{s.at.now} : std::nullopt;
  const bool is_named = row.named || named || !s.tree.on_its_way(t);
  if (row.named == is_named && row.lost_since == lost && row.doubt_since == doubt && row.last_frame_at == frame_at)
    return;
  row.named = is_named;
  row.lost_since = unasked ? std::nullopt : lost;
  row.doubt_since = doubt;
  row.last_frame_at = frame_at;
  s.changed(t);
}

}  // namespace throughline::state_sync
