#include "services/state-sync/core/queue.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "common/codec/http_bodies.hpp"
#include "common/codec/render.hpp"
#include "services/state-sync/core/answers.hpp"
#include "services/state-sync/core/cancel.hpp"
#include "services/state-sync/core/commands.hpp"
#include "services/state-sync/core/instances.hpp"
#include "services/state-sync/core/lifecycle.hpp"

namespace throughline::state_sync {
namespace {

/// Places of prompts that wait their turn; interrupts stand below it.
constexpr std::uint64_t patient_from = std::uint64_t{1} << 40;

/// One turn in flight; until the session has a thread, one prompt out at a time: both are "nothing runs".
bool may_dispatch(step& s, const member& m) {
  const auto* over = s.tree.connected();
  return over && over->gate_open && !m.row.deleted && !s.tree.running(m.id());
}

position start(step& s, member& m, queued_prompt prompt) {
  if (m.row.zed_thread) end_unasked_on(s, *m.row.zed_thread);
  m.row.waiting_interaction = prompt.interaction;
  m.row.last_request = request_id{prompt.interaction.text()};
  m.row.request_started_at = s.at.now;
  turn_row row{.origin = turn_origin::prompt, .thread = m.row.zed_thread, .interrupt = prompt.interrupt};
  row.record.id = prompt.interaction;
  row.record.prompt_message = std::move(prompt.content);
  row.record.prompt = prompt.id;
  auto& t = begin(s, m, std::move(row));
  send_prompt(s, t, *s.tree.connected());
  return s.head_of(m);
}

/// A prompt that is out but reached nobody goes first, once its thread is free; and so does one that a numbered agent,
/// which is back, may have had and has not named: it drops what it has (6.3).
void send_what_is_out(step& s) {
  const auto* over = s.tree.connected();
  if (!over || !over->gate_open) return;
  const auto open = s.tree.open;
  for (auto* t : open) {
    const bool again = is_to_be_redelivered(s.tree, *t);
    if (!again && (!t->unsent() || t->cancelling())) continue;
    const auto& thread = s.session_of(*t).row.zed_thread;
    if (thread) end_unasked_on(s, *thread);
    const auto* other = thread ? s.tree.open_turn_on(*thread) : nullptr;
    if (other && other != t) continue;
    if (again) s.gone(command_id{*t->row.command});
    send_prompt(s, *t, *over, again);
  }
}

std::uint64_t place_for(const member& m, bool interrupt) {
  std::uint64_t place = interrupt ? 1 : patient_from;
  for (const auto& p : m.queue) {
    if ((p.place < patient_from) == interrupt) place = std::max(place, p.place + 1);
  }
  return place;
}

position enqueue(step& s, member& m, queued_prompt prompt) {
  prompt_row row{m.id(), std::move(prompt), 0};
  row.place = place_for(m, row.prompt.interrupt);
  s.queued(row);
  const auto at = std::ranges::upper_bound(m.queue, row.place, {}, &prompt_row::place);
  const bool interrupt = row.prompt.interrupt;
  m.queue.insert(at, std::move(row));
  s.show(m);
  const auto recorded = s.head_of(m);
  // While the thread is being made, nothing may cut in (P-G14).
  auto* running = s.tree.running(m.id());
  if (interrupt && running && m.row.zed_thread) start_cancel(s, *running);
  return recorded;
}

bool acceptable(step& s, reply_token to, const std::string& content) {
  if (content.empty()) {
    refuse(s, to, 400, "bad_request", "The prompt is empty.");
  } else if (content.size() > codec::prompt_bytes_max) {
    refuse(s, to, 413, "too_large", "The prompt is longer than 1 MiB.");
  } else {
    return true;
  }
  return false;
}

}  // namespace

void on_post(step& s, const asked& ask, const post_prompt& what) {
  auto* m = admit(s, ask, what.session, what.by, right::steer);
  if (!m || !acceptable(s, ask.from, what.content)) return;
  const auto scope = scope_of(what.session);
  if (answered_before(s, ask, scope, what.by)) return;
  if (m->queue.size() >= queued_prompts_max) {
    return settle(s, ask.from, *m, scope, what.by,
                  {429, codec::error_body("queue_full", "100 prompts are waiting already.")});
  }
  queued_prompt prompt{prompt_id{what.by.id}, interaction_id{s.new_id("int_")}, what.content, what.interrupt, s.at.now};
  const auto id = prompt.interaction;
  const bool now = m->queue.empty() && may_dispatch(s, *m);
  const auto recorded = now ? start(s, *m, std::move(prompt)) : enqueue(s, *m, std::move(prompt));
  settle(s, ask.from, *m, scope, what.by, {202, codec::message_body(prompt_id{what.by.id}, id, now, recorded)});
}

void dispatch(step& s) {
  send_what_is_out(s);
  for (auto& m : s.tree.members | std::views::values) {
    if (m.queue.empty() || !may_dispatch(s, m)) continue;
    auto prompt = std::move(m.queue.front().prompt);
    m.queue.erase(m.queue.begin());
    s.unqueued(m, prompt.interaction);
    start(s, m, std::move(prompt));
  }
}

}  // namespace throughline::state_sync
