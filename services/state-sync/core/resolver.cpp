#include "services/state-sync/core/resolver.hpp"

#include <algorithm>
#include <utility>

#include "common/delta/text.hpp"

namespace throughline::state_sync {
namespace {

/// The content with this length and hash that an earlier frame of the same thread and message id left in some turn.
const std::string* base_of(tree_state& tree, const agent::message_added& m) {
  const auto& base = *m.content.base;
  for (const auto* turns : {&tree.open, &tree.finished_loaded}) {
    for (const auto* t : *turns) {
      if (t->row.thread != m.thread && t->id().text() != m.request.text()) continue;
      if (const auto* text = t->text.content_of(m.message, base.length, base.hash)) return text;
    }
  }
  return nullptr;
}

bool is_replay(tree_state& tree, const agent::message_added& m) {
  const auto* known = tree.entries_known(m.thread, m.message);
  if (!known) return false;
  const auto content = whole_content(tree, m);
  if (!content) return false;
  const auto hash = delta::hash_of(*content);
  return std::ranges::any_of(*known, [&](const auto& k) { return k.length == content->size() && k.hash == hash; });
}

belonging of_turn(turn& t) {
  return {t.open() ? ruling::open_turn : ruling::finished_turn, &t};
}

/// Rule 2: whose the output under the id of the finished turn `t` is. A message id that one of the turns which carry
/// this id has already stays there, the latest of them first but for `t` itself; a new one is the latest one's.
turn& owner_of_output(tree_state& tree, turn& t, const request_id& request, const agent::message_added& m) {
  auto* taker = tree.taker_of(request, &m.thread);
  if (!taker || has_message(t, m.message)) return t;
  auto* had = tree.taker_with(request, m.thread, m.message);
  return had ? *had : *taker;
}

/// Rule 2: the id of a finished turn, perhaps taken over by one that was typed in the editor.
belonging of_finished(tree_state& tree, turn& t, const claim& c) {
  if (c.output) return of_turn(owner_of_output(tree, t, *c.request, *c.output));
  auto* taker = tree.taker_of(*c.request, c.thread);
  if (!taker) return of_turn(t);
  // The later one's cancel went out under this id.
  if (c.cancels && taker->cancelling()) return of_turn(*taker);
  // An end that the finished turn still owes is not the end of a later one that has said nothing (P-G4).
  if (t.row.end_owed && taker->open() && taker->text.visible_count() == 0) return of_turn(t);
  return of_turn(*taker);
}

/// What the agent says on the thread of `open`, under an id that names no turn or without one, while that prompt may
/// not have reached it and the turn that was typed there before still owes its end: under this id it is that one's.
/// Null: it is `open`'s.
turn* still_speaking(tree_state& tree, const turn& open, const request_id& request) {
  if (!open.row.thread || !tree.on_its_way(open)) return nullptr;
  auto* last = tree.last_finished_on(*open.row.thread);
  const bool typed = last && last->row.end_owed && last->row.origin == turn_origin::editor;
  return typed && last->row.taken_over.value_or(request_id{}) == request ? last : nullptr;
}

turn& speaker(tree_state& tree, turn& open, const request_id& request) {
  auto* before = still_speaking(tree, open, request);
  return before ? *before : open;
}

/// An error that names nothing: the one turn that runs; of several, the one for which the agent has no id.
belonging of_failure(tree_state& tree) {
  std::vector<turn*> all, nameless;
  for (auto* t : tree.open) {
    if (!t->holds_queue() || t->unsent()) continue;
    all.push_back(t);
    if (t->row.origin == turn_origin::editor && !t->row.taken_over) nameless.push_back(t);
  }
  if (nameless.size() == 1) return of_turn(*nameless.front());
  return all.size() == 1 ? of_turn(speaker(tree, *all.front(), {})) : belonging{};
}

belonging by_thread(tree_state& tree, const claim& c) {
  const auto found = c.thread ? tree.threads.find(*c.thread) : tree.threads.end();
  if (found == tree.threads.end() || found->second.session.empty()) return {};
  if (c.output && is_replay(tree, *c.output)) return {ruling::replay};
  // A prompt that has not reached the agent is not what it speaks of without an id.
  if (auto* t = tree.open_turn_on(*c.thread); t && !t->unsent())
    return of_turn(speaker(tree, *t, c.request ? *c.request : request_id{}));
  return {found->second.retired ? ruling::unknown : ruling::no_turn};
}

/// A frame without a thread, under an id that names no turn: one that was typed in the editor may have come under it.
belonging by_id_alone(tree_state& tree, const claim& c) {
  if (!c.request || c.request->empty()) return c.fails ? of_failure(tree) : belonging{};
  auto* taker = tree.taker_of(*c.request, nullptr);
  return taker ? of_turn(*taker) : belonging{};
}

bool is_unread(const turn* t) {
  return t && !t->open() && !t->loaded;
}

void add_still_speaking(tree_state& tree, const thread_id& thread, const request_id& request, std::vector<turn*>& out) {
  const auto* open = tree.open_turn_on(thread);
  auto* t = open ? still_speaking(tree, *open, request) : nullptr;
  if (is_unread(t)) out.push_back(t);
}

void add_named(tree_state& tree, const agent::message_added& m, std::vector<turn*>& out) {
  auto* t = tree.turn_named(m.request);
  if (!t) return add_still_speaking(tree, m.thread, m.request, out);
  if (t->open()) return;
  if (auto* owner = &owner_of_output(tree, *t, m.request, m); is_unread(owner)) out.push_back(owner);
}

void add_ended(tree_state& tree, const agent::message_completed& c, std::vector<turn*>& out) {
  auto* t = tree.turn_named(c.request);
  if (!t) return add_still_speaking(tree, c.thread, c.request, out);
  if (t->open()) return;
  if (is_unread(t)) out.push_back(t);
  if (auto* taker = tree.taker_of(c.request, &c.thread); is_unread(taker)) out.push_back(taker);
}

void add_failed(tree_state& tree, const agent::chat_response_error& e, std::vector<turn*>& out) {
  const auto where = resolve(tree, {.request = &e.request, .fails = true});
  if (is_unread(where.which)) out.push_back(where.which);
}

void add_base(tree_state& tree, const agent::message_added& m, std::vector<turn*>& out) {
  if (!m.content.base) return;
  const auto* known = tree.entries_known(m.thread, m.message);
  if (!known) return;
  for (const auto& k : *known) {
    if (k.length != m.content.base->length || k.hash != m.content.base->hash) continue;
    if (auto* t = tree.find_turn(k.turn); is_unread(t)) out.push_back(t);
    return;
  }
}

}  // namespace

belonging resolve(tree_state& tree, const claim& c) {
  auto* named = c.request && !c.request->empty() ? tree.turn_named(*c.request) : nullptr;
  if (!named) return c.thread ? by_thread(tree, c) : by_id_alone(tree, c);
  return named->open() ? of_turn(*named) : of_finished(tree, *named, c);
}

bool is_bound(const tree_state& tree, const thread_id& thread) {
  const auto found = tree.threads.find(thread);
  return found != tree.threads.end() && !found->second.session.empty() && !found->second.retired;
}

std::optional<std::string> whole_content(tree_state& tree, const agent::message_added& m) {
  if (!m.content.base) return m.content.text;
  const auto* base = base_of(tree, m);
  if (!base) return std::nullopt;
  auto whole = delta::apply(*base, m.content.base->hash, m.content);
  return whole ? std::optional(std::move(*whole)) : std::nullopt;
}

std::vector<turn*> unread_for(tree_state& tree, const agent_event& frame) {
  std::vector<turn*> out;
  if (const auto* m = std::get_if<agent::message_added>(&frame)) {
    add_named(tree, *m, out);
    add_base(tree, *m, out);
  } else if (const auto* c = std::get_if<agent::message_completed>(&frame)) {
    add_ended(tree, *c, out);
  } else if (const auto* e = std::get_if<agent::chat_response_error>(&frame)) {
    add_failed(tree, *e, out);
  }
  return out;
}

}  // namespace throughline::state_sync
