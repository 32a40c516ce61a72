// What replicas read for gateways, each read of one moment (design 3.7).

#include <algorithm>
#include <utility>

#include "common/codec/render.hpp"
#include "tests/simulation/database.hpp"
#include "tests/simulation/violation.hpp"

namespace throughline::simulation {

reading database::answer(const read_request& what) const {
  if (const auto* s = std::get_if<read_snapshot>(&what)) return snapshot(s->session);
  if (const auto* e = std::get_if<read_events>(&what)) {
    return events_after(e->session, e->since.value_or(position{epoch_, 0}), e->limit);
  }
  if (const auto* i = std::get_if<read_interaction>(&what)) return one_interaction(i->session, i->interaction);
  const auto* heads = std::get_if<read_heads>(&what);
  must(heads != nullptr, "harness", "a read that is not simulated");
  std::vector<head_reading> out;
  for (const auto& id : heads->sessions) out.push_back(head(id));
  return out;
}

session database::value_of(const session_id& id) const {
  const auto tree = rows_.load(root_);
  const auto r = *std::ranges::find(tree.sessions, id, [](const auto& s) { return s.id; });
  const auto h = *std::ranges::find(tree.heads, id, [](const auto& s) { return s.id; });
  session s{.id = r.id, .parent = r.parent, .owner = r.owner, .name = r.name, .created = r.created};
  s.updated = r.updated;
  s.head = {epoch_, h.seq};
  s.agent = {r.status, r.agent_name, r.agent_since, h.last_event_at};
  s.zed_thread = r.zed_thread;
  s.zed_agent_name = r.agent_name_wanted;
  s.waiting_interaction = r.waiting_interaction;
  s.last_request = r.last_request;
  s.request_started_at = r.request_started_at;
  s.metadata = r.metadata;
  auto queue = tree.prompts;
  std::ranges::sort(queue, {}, [](const auto& p) { return p.place; });
  for (const auto& p : queue) {
    if (p.session == id) s.queue.push_back(p.prompt);
  }
  s.interactions_total = r.next_ordinal - 1;
  return s;
}

head_reading database::head(const session_id& id) const {
  const auto row = rows_.sessions().find(id);
  if (row == rows_.sessions().end() || row->second.deleted) return {id, false, {}, {}};
  const auto tree = rows_.load(root_);
  head_reading out{id, true, {epoch_, rows_.events(id).size()}, {row->second.owner, {}, 0}};
  for (const auto& g : tree.grants) out.access.grants.push_back(g.value);
  for (const auto& h : tree.heads) {
    if (h.id == root_) out.access.version = h.acl_version;
  }
  return out;
}

session_reading database::snapshot(const session_id& id, std::optional<position> head_said) const {
  session_reading out;
  const auto now = head(id);
  if (!now.found) return out;
  out.found = true;
  out.head = head_said.value_or(now.head);
  out.access = now.access;
  auto s = value_of(id);
  s.head = out.head;
  std::vector<std::string> bodies;
  const auto turns = rows_.turns(id);
  for (const auto& t : turns) codec::render_interaction(bodies.emplace_back(), t.record);
  const std::vector<std::string_view> views(bodies.begin(), bodies.end());
  codec::render_full_update(out.body, s, codec::rendered(views));
  if (!turns.empty() && !is_terminal(turns.back().record.state) && !turns.back().record.entries.empty()) {
    codec::render_baseline(out.baseline, turns.back().record, s.owner, s.head);
  }
  return out;
}

session_reading database::events_after(const session_id& id, position since, std::uint64_t limit) const {
  session_reading out;
  const auto now = head(id);
  if (!now.found) return out;
  out.found = true;
  out.head = now.head;
  out.access = now.access;
  const auto* l = log_of(id, now.head);
  const bool current = since.epoch == epoch_ && since.seq <= now.head.seq;
  const bool stored =
      since.seq > 0 && since.seq <= now.head.seq && l != nullptr && l->events[since.seq - 1].at.epoch == since.epoch;
  out.known_position = current || stored;
  if (!out.known_position) return out;
  const auto last = std::min(now.head.seq, since.seq + limit);
  for (auto seq = since.seq + 1; seq <= last; ++seq) out.body += *l->events[seq - 1].body + "\n";
  out.complete = last >= now.head.seq;
  return out;
}

session_reading database::one_interaction(const session_id& session, const interaction_id& id) const {
  session_reading out;
  const auto now = head(session);
  if (!now.found) return out;
  out.found = true;
  out.head = now.head;
  out.access = now.access;
  const auto turns = rows_.turns(session);
  const auto turn = std::ranges::find(turns, id, [](const auto& t) { return t.record.id; });
  out.inner_found = turn != turns.end();
  if (out.inner_found) {
    codec::render_interaction(out.body, turn->record);
    out.inner.emplace();
    for (const auto* e : between(session, 0, now.head)) {
      if (e->headers.kind != codec::message_kind::interaction_update || e->headers.interaction != id) continue;
      if (out.inner->began == 0) {
        out.inner->began = e->at.seq;
      } else if (is_terminal(turn->record.state) && out.inner->ended.seq == 0) {
        out.inner->ended = e->at;
      }
    }
    return out;
  }
  const auto queue = rows_.load(root_).prompts;
  const bool queued =
      std::ranges::any_of(queue, [&](const auto& p) { return p.session == session && p.prompt.interaction == id; });
  const auto place = place_in_queue(session, id, queued);
  if (place.queued || place.ended.seq != 0) out.inner = place;
  return out;
}

/// A prompt that is gone from the queue went with the session_update after the last one that shows it there.
turn_place database::place_in_queue(const session_id& session, const interaction_id& id, bool queued) const {
  turn_place out{.queued = queued};
  if (queued) return out;
  const auto shown = R"("interaction_id":")" + id.text() + '"';
  bool was_there = false;
  for (const auto* e : between(session, 0, {epoch_, rows_.events(session).size()})) {
    if (e->headers.kind != codec::message_kind::session_update) continue;
    if (e->body->find(shown) != std::string::npos) {
      was_there = true;
      out.ended = {};
    } else if (was_there && out.ended.seq == 0) {
      out.ended = e->at;
    }
  }
  return out;
}

}  // namespace throughline::simulation
