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
  verdict operator()(const agent::chat_response_error& f) { return on_response_error(s_, f); }
  verdict operator()(const agent::turn_cancelled& f) {
    const auto where = resolve(s_.tree, {.request = &f.request, .cancels = f.cancelled});
    if (f.cancelled && where.what == ruling::open_turn) {
      end(s_, *where.which, {.to = turn_state::interrupted, .by_agent = false});
      doubt_taker_of(s_, f.request);
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
  const bool by_thread = !is_called(t, f.request);
  // An end under an id that is nobody's says nothing about a turn that has not spoken (P-G4).
  if (by_thread && !f.request.empty() && t.text.visible_count() == 0 && t.row.origin == turn_origin::prompt) {
    doubt_open_on(s_, f.thread);
    return verdict::applied;
  }
  if (f.usage) t.row.record.usage = f.usage;
  end_by_completion(s_, t);
  doubt_taker_of(s_, f.request);
  return verdict::applied;
}

/// The end of a turn that has ended: its usage may still be new to us. Nothing else of it changes, and no other turn,
/// except that one open on the thread may have lost its own end to this id (P-G3).
verdict frame_rules::complete_again(turn& t, const agent::message_completed& f) {
  if (!t.loaded) return verdict::unread;
  if (f.usage && t.row.record.usage != f.usage) {
    t.row.record.usage = f.usage;
    s_.output(t);
  }
  ended_again(s_, t, f.request, f.thread);
  return verdict::applied;
}

}  // namespace

verdict apply_frame(step& s, attachment_row& on, const agent_event& frame) {
  return std::visit(frame_rules(s, on), frame);
}

}  // namespace throughline::state_sync
