#include "tests/simulation/database.hpp"

#include <algorithm>
#include <utility>

#include "common/codec/render.hpp"
#include "tests/simulation/violation.hpp"

namespace throughline::simulation {

stored_event render(const event& e) {
  std::string body;
  codec::render_event(body, e);
  return {e.session, e.at, codec::headers_of(e), std::make_shared<const std::string>(std::move(body))};
}

bool database::lock(const void* who) {
  if (locked_by_ != nullptr && locked_by_ != who) return false;
  locked_by_ = who;
  return true;
}

void database::unlock(const void* who) {
  if (locked_by_ == who) locked_by_ = nullptr;
}

fence_marks database::marks() const {
  fence_marks out;
  for (const auto& h : rows_.load(root_).heads) out[h.id] = {h.epoch, h.version};
  return out;
}

void database::commit(row_store written, const std::vector<stored_event>& events) {
  rows_ = std::move(written);
  for (const auto& e : events) {
    auto& l = histories_[epoch_][e.session];
    must(e.at == position(epoch_, l.events.size() + 1), "gapless",
         "event " + to_text(e.at) + " after " + std::to_string(l.events.size()));
    l.fold.apply(*e.body);
    l.events.push_back(e);
    l.digests.push_back(l.fold.digest());
  }
}

void database::fail_over() {
  if (!backup_) return;
  rows_ = *backup_;
  auto next = histories_[epoch_];
  for (auto& [id, l] : next) {
    const auto kept = rows_.events(id).size();
    if (kept >= l.events.size()) continue;
    l.events.resize(kept);
    l.digests.resize(kept);
    l.fold = view();
    for (const auto& e : l.events) l.fold.apply(*e.body);
  }
  std::erase_if(next, [](const auto& one) { return one.second.events.empty(); });
  histories_[++epoch_] = std::move(next);
  locked_by_ = nullptr;
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

session_reading database::snapshot(const session_id& id) const {
  session_reading out;
  const auto now = head(id);
  if (!now.found) return out;
  out.found = true;
  out.head = now.head;
  out.access = now.access;
  const auto s = value_of(id);
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

std::optional<stored_event> database::newest_event(const session_id& id) const {
  const auto* l = log_of(id, {epoch_, 1});
  return l == nullptr ? std::nullopt : std::optional(l->events.back());
}

const database::log* database::log_of(const session_id& session, position at) const {
  const auto h = histories_.find(at.epoch);
  if (h == histories_.end()) return nullptr;
  const auto found = h->second.find(session);
  return found == h->second.end() || found->second.events.size() < at.seq ? nullptr : &found->second;
}

const stored_event* database::find(const session_id& session, position at) const {
  const auto* l = at.seq == 0 ? nullptr : log_of(session, at);
  return l == nullptr ? nullptr : &l->events[at.seq - 1];
}

std::uint64_t database::digest_at(const session_id& session, position at) const {
  const auto* l = at.seq == 0 ? nullptr : log_of(session, at);
  must(l != nullptr, "commit_before_publish", "a viewer is at " + to_text(at) + ", which is not committed");
  return l->digests[at.seq - 1];
}

std::string database::text_at(const session_id& session, position at) const {
  view fold;
  const auto* l = log_of(session, at);
  for (std::uint64_t i = 0; l != nullptr && i < at.seq; ++i) fold.apply(*l->events[i].body);
  return fold.text();
}

}  // namespace throughline::simulation
