#include "services/state-sync/core/frames.hpp"

#include <ranges>
#include <utility>

#include "services/state-sync/core/attachments.hpp"
#include "services/state-sync/core/lifecycle.hpp"
#include "services/state-sync/core/load_errors.hpp"
#include "services/state-sync/core/output.hpp"
#include "services/state-sync/core/resolver.hpp"
#include "services/state-sync/core/threads.hpp"

namespace throughline::state_sync {
namespace {

void name_agent(step& s, const std::string& name) {
  // The name of a stock agent's socket before any agent is behind it (P-A7.2).
  if (name.empty() || name == "zed-connection") return;
  for (auto& m : s.tree.members | std::views::values) {
    if (m.row.deleted || m.row.agent_name == name) continue;
    m.row.agent_name = name;
    s.changed(m);
    s.show_at_end(m);
  }
}

/// The thread reported an end that was not this turn's: what is open on it may have lost its own (6.4).
void doubt_open_turn(step& s, const thread_id& thread) {
  auto* t = s.tree.open_turn_on(thread);
  if (!t) return;
  if (t->row.origin == turn_origin::unasked) return end(s, *t, {turn_state::complete});
  const auto* over = s.tree.connected();
  t->row.in_doubt = true;
  if (over && over->ready_at) t->row.doubt_since = s.at.now;
  s.changed(*t);
}

class frame_rules {
 public:
  frame_rules(step& s, attachment_row& on) : s_(s), on_(on) {}

  verdict operator()(const agent::ping&) { return verdict::applied; }
  verdict operator()(const agent::agent_ready& f) {
    name_agent(s_, f.agent_name);
    open_gate(s_, on_);
    return verdict::applied;
  }
  verdict operator()(const agent::thread_created& f) {
    announce_thread(s_, f.thread, f.request, f.title);
    const auto where = resolve(s_.tree, {.request = &f.request});
    if (where.what == ruling::open_turn) seen(s_, *where.which, on_);
    return verdict::applied;
  }
  verdict operator()(const agent::user_created_thread& f) {
    announce_thread(s_, f.thread, {}, f.title);
    return verdict::applied;
  }
  verdict operator()(const agent::thread_title_changed& f) {
    retitle(s_, f.thread, f.title);
    return verdict::applied;
  }
  verdict operator()(const agent::message_added& f) {
    return f.role == agent::author::user ? put_user_entry(s_, on_, f) : put_output(s_, on_, f);
  }
  verdict operator()(const agent::message_completed& f);
  verdict operator()(const agent::thread_load_error& f) {
    on_load_error(s_, on_, f);
    if (!f.request.empty() && on_.open_thread_request == f.request) open_gate(s_, on_);
    return verdict::applied;
  }
  verdict operator()(const agent::chat_response_error& f) {
    on_response_error(s_, f);
    return verdict::applied;
  }
  verdict operator()(const agent::turn_cancelled& f) {
    const auto where = resolve(s_.tree, {.request = &f.request, .cancels = f.cancelled});
    if (f.cancelled && where.what == ruling::open_turn) {
      end(s_, *where.which, {.to = turn_state::interrupted, .by_agent = false});
    }
    return verdict::applied;
  }

 private:
  verdict complete(turn& t, const agent::message_completed& f);
  verdict complete_again(turn& t, const agent::message_completed& f);

  step& s_;
  attachment_row& on_;
};

verdict frame_rules::operator()(const agent::message_completed& f) {
  name_agent(s_, f.agent_name);
  const auto where = resolve(s_.tree, {.thread = &f.thread, .request = &f.request});
  switch (where.what) {
    case ruling::open_turn:
      return complete(*where.which, f);
    case ruling::finished_turn:
      return complete_again(*where.which, f);
    default:
      if (where.what == ruling::unknown) s_.ignored();
      return verdict::applied;
  }
}

verdict frame_rules::complete(turn& t, const agent::message_completed& f) {
  const bool by_thread = f.request != request_of(t) && f.request.text() != t.id().text();
  // An end under an id that is nobody's says nothing about a turn that has not spoken (P-G4).
  if (by_thread && !f.request.empty() && t.text.visible_count() == 0 && t.row.origin == turn_origin::prompt) {
    doubt_open_turn(s_, f.thread);
    return verdict::applied;
  }
  if (f.usage) t.row.record.usage = f.usage;
  end_by_completion(s_, t);
  return verdict::applied;
}

/// The end of a turn that has ended: its usage may still be new to us. Nothing else of it changes, and no other turn,
/// except that one open on the thread may have lost its own end to this id (P-G3).
verdict frame_rules::complete_again(turn& t, const agent::message_completed& f) {
  if (!t.loaded) return verdict::unread;
  const bool owed = std::exchange(t.row.end_owed, false);
  if (owed) s_.changed(t);
  if (f.usage && t.row.record.usage != f.usage) {
    t.row.record.usage = f.usage;
    s_.output(t);
  }
  // One that has taken this id over may have been meant.
  const auto* open = s_.tree.open_turn_on(f.thread);
  if (!owed || (open && open->row.taken_over == f.request)) doubt_open_turn(s_, f.thread);
  return verdict::applied;
}

}  // namespace

verdict apply_frame(step& s, attachment_row& on, const agent_event& frame) {
  return std::visit(frame_rules(s, on), frame);
}

}  // namespace throughline::state_sync
