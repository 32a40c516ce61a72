#include "services/state-sync/core/threads.hpp"

#include <utility>

#include "services/state-sync/core/lifecycle.hpp"

namespace throughline::state_sync {
namespace {

thread_row* known(step& s, const thread_id& thread) {
  const auto found = s.tree.threads.find(thread);
  return found == s.tree.threads.end() ? nullptr : &found->second;
}

thread_row& remember(step& s, const thread_id& thread) {
  auto& row = s.tree.threads[thread];
  row.root = s.tree.root_id();
  row.thread = thread;
  s.changed(row);
  return row;
}

void point_away(step& s, const session_id& from, const thread_id& thread) {
  auto* m = s.tree.find(from);
  if (!m || m->row.zed_thread != thread) return;
  m->row.zed_thread.reset();
  s.changed(*m);
  s.show_at_end(*m);
}

void bind(step& s, member& m, const thread_id& thread) {
  auto& row = remember(s, thread);
  if (!row.session.empty() && row.session != m.id()) point_away(s, row.session, thread);
  row.session = m.id();
  row.title.clear();
  if (m.row.zed_thread == thread) return;
  m.row.zed_thread = thread;
  s.changed(m);
  s.show_at_end(m);
}

/// The turn runs on this thread from now on; what was open there before has ended by that (P-G45).
void run_on(step& s, turn& t, const thread_id& thread) {
  if (t.row.thread == thread) return;
  if (auto* other = s.tree.open_turn_on(thread)) {
    if (other->row.origin == turn_origin::unasked) {
      end(s, *other, {turn_state::complete});
    } else {
      end(s, *other, {turn_state::interrupted, "superseded", "Another turn began on this thread.", false});
    }
  }
  t.row.thread = thread;
  s.changed(t);
}

/// The prompt that is out while the socket's own session has no thread.
turn* turn_without_thread(step& s) {
  auto* root = s.tree.root();
  if (!root || root->row.zed_thread) return nullptr;
  auto* t = s.tree.running(root->id());
  return t && t->row.origin == turn_origin::prompt && !t->row.thread ? t : nullptr;
}

turn* open_turn_named(step& s, const request_id& request) {
  auto* t = request.empty() ? nullptr : s.tree.turn_named(request);
  return t && t->open() ? t : nullptr;
}

/// Whether a new thread may be taken. A session that waits for its own gets it also when nobody else's is taken.
bool has_room(const step& s, const member* waiting) {
  const auto most = waiting && !waiting->row.zed_thread ? 2 * threads_max : threads_max;
  return s.tree.threads.size() < most;
}

/// The session whose open turn this new thread would be of; null when of none.
member* bound_by(step& s, const request_id& request) {
  if (auto* t = open_turn_named(s, request)) return &s.session_of(*t);
  return turn_without_thread(s) ? s.tree.root() : nullptr;
}

member& make_child(step& s, thread_row& thread) {
  const auto& root = *s.tree.root();
  const auto& root_text = root.id().text();
  const auto ms = std::chrono::duration_cast<millis>(s.at.now.time_since_epoch()).count();
  const auto tail = std::string_view(root_text).substr(root_text.size() - 2);
  member m;
  m.row.id = m.head.id = session_id{make_id_with_tail("ses_", static_cast<std::uint64_t>(ms), *s.at.ids, tail)};
  m.row.root = root.id();
  m.row.parent = root.id();
  m.row.owner = root.row.owner;
  m.row.name = thread.title.empty() ? "New Chat" : thread.title;
  m.row.agent_name_wanted = root.row.agent_name_wanted;
  m.row.created = m.row.updated = s.at.now;
  m.row.status = root.row.status;
  m.row.agent_name = root.row.agent_name;
  m.row.agent_since = root.row.agent_since;
  m.row.zed_thread = thread.thread;
  const auto id = m.id();
  s.tree.found(std::move(m));
  auto& made = *s.tree.find(id);
  s.changed(made);
  s.show(made);
  thread.session = id;
  thread.title.clear();
  s.changed(thread);
  return made;
}

}  // namespace

void announce_thread(step& s, const thread_id& thread, const request_id& request,
                     const std::optional<std::string>& title) {
  const auto* row = known(s, thread);
  if (row && row->retired) return s.ignored();
  if (!row && !has_room(s, bound_by(s, request))) return s.ignored();
  if (auto* t = open_turn_named(s, request)) {
    bind(s, s.session_of(*t), thread);
    return run_on(s, *t, thread);
  }
  if (row && !row->session.empty()) return;
  if (auto* t = turn_without_thread(s)) {
    bind(s, *s.tree.root(), thread);
    return run_on(s, *t, thread);
  }
  if (row && (!title || row->title == *title)) return;
  remember(s, thread).title = title.value_or("");
}

member* session_for_user_entry(step& s, const thread_id& thread, const request_id& request) {
  auto* row = known(s, thread);
  if (row && row->retired) return nullptr;
  if (!row && !has_room(s, bound_by(s, request))) return nullptr;
  if (row && !row->session.empty()) return s.tree.find(row->session);
  if (auto* t = open_turn_named(s, request)) {
    auto& m = s.session_of(*t);
    bind(s, m, thread);
    if (!t->row.thread) run_on(s, *t, thread);
    return &m;
  }
  if (turn_without_thread(s)) {
    bind(s, *s.tree.root(), thread);
    return s.tree.root();
  }
  return &make_child(s, row ? *row : remember(s, thread));
}

void retitle(step& s, const thread_id& thread, const std::string& title) {
  auto* row = known(s, thread);
  if (!row || row->retired) return s.ignored();
  if (row->session.empty()) {
    row->title = title;
    return s.changed(*row);
  }
  auto* m = s.tree.find(row->session);
  if (!m || m->row.name == title) return;
  m->row.name = title;
  s.changed(*m);
  s.show_at_end(*m);
}

void retire(step& s, const thread_id& thread) {
  auto* row = known(s, thread);
  if (!row || row->retired) return;
  row->retired = true;
  s.changed(*row);
  if (!row->session.empty()) point_away(s, row->session, thread);
}

}  // namespace throughline::state_sync
