#include "services/state-sync/core/tree.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

namespace throughline::state_sync {
namespace {

std::string entry_key(const thread_id& thread, const message_id& id) {
  std::string key;
  key.reserve(thread.text().size() + 1 + id.text().size());
  return key.append(thread.text()).append(1, '\0').append(id.text());
}

}  // namespace

tree_state::tree_state(tree_rows rows) {
  for (auto& s : rows.sessions) {
    if (!s.parent) root_ = s.id;
    const auto id = s.id;
    members[id].row = std::move(s);
  }
  for (auto& h : rows.heads) {
    if (const auto m = members.find(h.id); m != members.end()) m->second.head = std::move(h);
  }
  for (auto& p : rows.prompts) members.at(p.session).queue.push_back(std::move(p));
  for (auto& m : members | std::views::values) std::ranges::sort(m.queue, {}, &prompt_row::place);
  for (auto& t : rows.threads) threads.emplace(t.thread, std::move(t));
  std::ranges::sort(rows.turns, {}, [](const turn_row& t) { return t.record.ordinal; });
  for (auto& t : rows.turns) add(std::move(t));
  for (auto& a : rows.attachments) attachments.emplace(a.id, std::move(a));
  for (auto& c : rows.commands) commands.emplace(c.id, std::move(c));
  for (auto& g : rows.grants) grants.emplace(g.value.user, g.value.what);
  for (auto& t : rows.tokens) tokens.emplace(t.hash, std::move(t));
}

member* tree_state::root() {
  return find(root_);
}

member* tree_state::find(const session_id& id) {
  const auto m = members.find(id);
  return m == members.end() || m->second.row.deleted ? nullptr : &m->second;
}

void tree_state::found(member m) {
  if (m.is_root()) root_ = m.id();
  const auto id = m.id();
  members[id] = std::move(m);
}

access_list tree_state::access() const {
  access_list out;
  const auto m = members.find(root_);
  if (m == members.end()) return out;
  out.owner = m->second.row.owner;
  out.version = m->second.head.acl_version;
  for (const auto& [user, what] : grants) out.grants.push_back({user, what});
  return out;
}

turn* tree_state::find_turn(const interaction_id& id) {
  const auto t = turns.find(id);
  return t == turns.end() ? nullptr : &t->second;
}

template <class Fits>
turn* tree_state::latest_taker(const request_id& id, const Fits& fits) {
  const auto takers = takers_.find(id);
  if (takers == takers_.end()) return nullptr;
  const turn* latest = nullptr;
  for (const auto* t : takers->second) {
    const bool same = latest && latest->row.record.session == t->row.record.session;
    if (!fits(*t) || (latest && !same && t->row.record.created < latest->row.record.created)) continue;
    latest = t;
  }
  return latest ? find_turn(latest->id()) : nullptr;
}

turn* tree_state::taker_of(const request_id& id, const thread_id* thread) {
  return latest_taker(id, [&](const turn& t) { return !thread || t.row.thread == *thread; });
}

turn* tree_state::taker_with(const request_id& id, const thread_id& thread, const message_id& message) {
  return latest_taker(id, [&](const turn& t) { return t.row.thread == thread && has_message(t, message); });
}

turn* tree_state::prompted_by(const thread_id& thread, const message_id& message, const std::string& text) {
  const auto turns_of_id = prompted_.find(message);
  if (turns_of_id == prompted_.end()) return nullptr;
  turn* found = nullptr;
  for (auto* t : turns_of_id->second) {
    const bool is_it = t->row.thread == thread && t->row.record.prompt_message == text;
    if (is_it && (!found || t->open())) found = t;
  }
  return found;
}

void tree_state::index_prompt(turn& t) {
  if (t.row.prompt_message_id) prompted_[*t.row.prompt_message_id].push_back(&t);
}

turn* tree_state::open_turn_on(const thread_id& thread) {
  const auto t = std::ranges::find_if(open, [&](const turn* o) { return o->row.thread == thread; });
  return t == open.end() ? nullptr : *t;
}

turn* tree_state::last_finished_on(const thread_id& thread) {
  turn* last = nullptr;
  for (auto& t : turns | std::views::values) {
    if (t.open() || t.row.thread != thread) continue;
    if (!last || t.row.record.ordinal > last->row.record.ordinal) last = &t;
  }
  return last;
}

request_id tree_state::request_of(const turn& t) {
  const auto* named = t.row.taken_over ? turn_named(*t.row.taken_over) : nullptr;
  return t.row.taken_over && !(named && named->open()) ? *t.row.taken_over : request_id{t.id().text()};
}

bool tree_state::on_its_way(const turn& t) const {
  if (!t.open() || t.row.named || !t.row.command) return false;
  const auto c = commands.find(*t.row.command);
  return c != commands.end() && c->second.state == command_state::sent;
}

turn* tree_state::running(const session_id& id) {
  const auto t =
      std::ranges::find_if(open, [&](const turn* o) { return o->row.record.session == id && o->holds_queue(); });
  return t == open.end() ? nullptr : *t;
}

turn& tree_state::add(turn_row row) {
  const auto id = row.record.id;
  auto& t = turns[id];
  auto entries = std::move(row.record.entries);
  row.record.entries.clear();
  t.row = std::move(row);
  t.loaded = t.open();
  index_taken_over(t);
  index_prompt(t);
  if (t.open()) {
    t.text = transcript(std::move(entries), t.row.silent, t.row.truncated);
    const auto place = [](const turn* o) { return std::pair(o->row.record.session, o->row.record.ordinal); };
    open.insert(std::ranges::upper_bound(open, place(&t), {}, place), &t);
  } else {
    index_entries(t, {});
  }
  return t;
}

void tree_state::index_taken_over(const turn& t) {
  if (!t.row.taken_over) return;
  auto& takers = takers_[*t.row.taken_over];
  const auto place = [](const turn* o) { return std::pair(o->row.record.session, o->row.record.ordinal); };
  takers.insert(std::ranges::upper_bound(takers, place(&t), {}, place), &t);
}

void tree_state::index_finished(turn& t) {
  std::erase(open, &t);
  t.row.silent = t.text.silent();
  t.row.truncated = t.text.truncated();
  const auto before = std::exchange(t.row.digests, t.text.digests());
  index_entries(t, before);
  t.loaded = true;
  if (std::ranges::find(finished_loaded, &t) == finished_loaded.end()) finished_loaded.push_back(&t);
}

void tree_state::index_entries(const turn& t, const std::vector<entry_digest>& before) {
  if (!t.row.thread) return;
  for (const auto& d : before) {
    std::erase_if(entries_[entry_key(*t.row.thread, d.id)], [&](const known_entry& k) { return k.turn == t.id(); });
  }
  for (const auto& d : t.row.digests) {
    entries_[entry_key(*t.row.thread, d.id)].push_back({t.id(), d.length, d.hash});
  }
}

const std::vector<tree_state::known_entry>* tree_state::entries_known(const thread_id& thread,
                                                                      const message_id& id) const {
  const auto known = entries_.find(entry_key(thread, id));
  return known == entries_.end() || known->second.empty() ? nullptr : &known->second;
}

attachment_row* tree_state::newest() {
  const auto rows = attachments | std::views::values;
  const auto top = std::ranges::max_element(rows, {}, &attachment_row::number);
  return top == rows.end() ? nullptr : &*top;
}

attachment_row* tree_state::connected() {
  auto* top = newest();
  return top && top->state == attachment_state::live ? top : nullptr;
}

}  // namespace throughline::state_sync
