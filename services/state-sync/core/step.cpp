#include "services/state-sync/core/step.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

namespace throughline::state_sync {
namespace {

/// Below this an open turn's events are read as they are.
constexpr std::uint64_t fold_weight_min = std::uint64_t{16} << 10;

}  // namespace

void step::changed(member& m) {
  rows_.insert(m.id());
  heads_.insert(m.id());
}

void step::changed(turn& t) {
  turns_.insert(t.id());
  heads_.insert(t.row.record.session);
}

void step::changed(const attachment_row& a) {
  attachments_.insert(a.id);
  heads_.insert(a.root);
}

void step::changed(const command_row& c) {
  commands_.insert(c.id);
  heads_.insert(c.session);
}

void step::changed(const thread_row& t) {
  threads_.insert(t.thread);
  heads_.insert(t.root);
}

void step::gone(const command_id& c) {
  const auto row = tree.commands.find(c);
  if (row == tree.commands.end()) return;
  heads_.insert(row->second.session);
  // A row of this very decision was never written.
  out.writes.commands_gone.push_back(c);
  commands_.erase(c);
  tree.commands.erase(row);
}

void step::gone(const attachment_id& a) {
  const auto row = tree.attachments.find(a);
  if (row == tree.attachments.end()) return;
  heads_.insert(row->second.root);
  out.writes.attachments_gone.push_back(a);
  attachments_.erase(a);
  tree.attachments.erase(row);
}

void step::queued(const prompt_row& p) {
  heads_.insert(p.session);
  out.writes.prompts.push_back(p);
}

void step::unqueued(const member& m, const interaction_id& id) {
  heads_.insert(m.id());
  // It may have been queued by this very decision.
  std::erase_if(out.writes.prompts, [&](const prompt_row& p) { return p.prompt.interaction == id; });
  out.writes.prompts_gone.emplace_back(m.id(), id);
}

void step::output(turn& t) {
  if (std::ranges::find(with_output_, &t) == with_output_.end()) with_output_.push_back(&t);
}

member& step::session_of(const turn& t) {
  return tree.members.at(t.row.record.session);
}

event& step::next_event(member& m, const interaction_id& about) {
  heads_.insert(m.id());
  ++m.head.seq;
  m.head.epoch = at.epoch;
  return out.writes.events.emplace_back(event{m.id(), head_of(m), m.row.owner, about, at.now, patch_set{}});
}

void step::show(turn& t) {
  auto& m = session_of(t);
  flush(&m.id());
  auto record = std::make_shared<interaction>(t.row.record);
  record->entries = t.text.visible();
  next_event(m, t.id()).body = std::move(record);
  changed(t);
}

void step::show(member& m) {
  flush(&m.id());
  shown_at_end_.erase(m.id());
  auto& e = next_event(m, {});
  e.body = std::make_shared<session>(value_of(m));
}

void step::flush(const session_id* of) {
  for (std::size_t i = 0; i < with_output_.size();) {
    auto* t = with_output_[i];
    if (of && t->row.record.session != *of) {
      ++i;
      continue;
    }
    with_output_.erase(with_output_.begin() + static_cast<std::ptrdiff_t>(i));
    flush(*t);
  }
}

void step::flush(turn& t) {
  if (!t.open()) {
    t.text.take_patches();
    show(t);
    return;
  }
  if (!t.text.pending()) return;
  auto patches = t.text.take_patches();
  t.row.unfolded_weight += weight_of(patches);
  next_event(session_of(t), t.id()).body = std::move(patches);
  fold_when_due(t);
}

void step::fold_when_due(turn& t) {
  const auto weight_of_fold = t.text.bytes() + 128 * t.text.visible_count();
  if (t.row.unfolded_weight < std::max<std::uint64_t>(fold_weight_min, weight_of_fold)) return;
  const auto seq = session_of(t).head.seq;
  out.writes.folds.push_back(
      {t.row.record.session, t.id(), seq, std::make_shared<const std::vector<entry>>(t.text.visible())});
  t.row.folded_seq = seq;
  t.row.unfolded_weight = 0;
}

void step::reply(reply_token to, throughline::reply what) {
  if (to != 0) out.later().replies.push_back({to, std::move(what)});
}

void step::order(bridge_id to, bridge_order what) {
  out.later().orders.push_back({std::move(to), tree.root_id(), std::move(what)});
}

void step::notify(notice::kind what, const session_id& session) {
  out.later().notices.push_back({what, session});
}

std::string step::new_id(std::string_view prefix) const {
  const auto ms = std::chrono::duration_cast<millis>(at.now.time_since_epoch()).count();
  return make_id(prefix, static_cast<std::uint64_t>(ms), *at.ids);
}

session step::value_of(const member& m) const {
  const auto& r = m.row;
  session s{.id = r.id, .parent = r.parent, .owner = r.owner, .name = r.name, .created = r.created};
  s.updated = r.updated;
  s.head = head_of(m);
  s.agent = {r.status, r.agent_name, r.agent_since, m.head.last_event_at};
  s.zed_thread = r.zed_thread;
  s.zed_agent_name = r.agent_name_wanted;
  s.waiting_interaction = r.waiting_interaction;
  s.last_request = r.last_request;
  s.request_started_at = r.request_started_at;
  s.metadata = r.metadata;
  for (const auto& p : m.queue) s.queue.push_back(p.prompt);
  s.interactions_total = r.next_ordinal - 1;
  return s;
}

void step::finish() {
  flush(nullptr);
  for (const auto shown = shown_at_end_; const auto& id : shown) {
    if (auto* m = tree.find(id)) show(*m);
  }
  write_rows();
  write_heads();
}

void step::write_rows() {
  auto& w = out.writes;
  for (const auto& id : rows_) w.sessions.push_back(tree.members.at(id).row);
  for (const auto& id : turns_) w.turns.push_back(row_to_write(tree.turns.at(id)));
  for (const auto& id : attachments_) w.attachments.push_back(tree.attachments.at(id));
  for (const auto& id : commands_) w.commands.push_back(tree.commands.at(id));
  for (const auto& id : threads_) w.threads.push_back(tree.threads.at(id));
}

/// The root's head is part of every write: it is the fence of the tree (design 3.3).
void step::write_heads() {
  if (heads_.empty()) return;
  for (auto& [id, m] : tree.members) {
    m.head.id = id;
    m.head.open = !m.queue.empty() || std::ranges::any_of(tree.open, [&](const turn* t) {
      return m.is_root() || t->row.record.session == id;
    });
    if (!m.is_root()) continue;
    heads_.insert(id);
    m.head.open =
        m.head.open || std::ranges::any_of(tree.attachments | std::views::values, [](const attachment_row& a) {
          return a.state == attachment_state::live || a.state == attachment_state::superseded;
        });
    for (const auto& other : tree.members | std::views::values) m.head.open = m.head.open || !other.queue.empty();
  }
  for (const auto& id : heads_) {
    auto& head = tree.members.at(id).head;
    head.epoch = at.epoch;
    out.writes.heads.push_back(head);
  }
}

}  // namespace throughline::state_sync
