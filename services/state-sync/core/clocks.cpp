#include "services/state-sync/core/clocks.hpp"

#include <algorithm>
#include <ranges>

#include "services/state-sync/core/attachments.hpp"
#include "services/state-sync/core/lifecycle.hpp"

namespace throughline::state_sync {
namespace {

constexpr millis settling_time_max{60'000};

void keep_earlier(std::optional<instant>& due, const std::optional<instant>& other) {
  if (other && (!due || *other < *due)) due = other;
}

/// When a dispatched turn is given up; empty while nothing counts against it.
std::optional<instant> given_up_at(const tree_state& tree, const turn& t, const limits& bounds) {
  const auto& row = t.row;
  const auto stale = bounds.stale_after;
  const auto* over = tree.connected();
  // It waits for its thread on a socket that is ready: the agent owes it nothing yet.
  if (t.unsent() && over && over->gate_open) return std::nullopt;
  std::optional<instant> due;
  if (row.lost_since) due = *row.lost_since + stale;
  if (row.in_doubt && row.doubt_since) keep_earlier(due, *row.doubt_since + stale);
  if (!due) return due;
  if (over) {
    // A new socket gets time to speak; one whose gate is still shut has not even begun.
    if (over->ready_at) {
      due = std::max(*due, *over->ready_at + std::min(settling_time_max, stale));
    } else {
      due.reset();
    }
  }
  if (row.lost_since) keep_earlier(due, *row.lost_since + 2 * stale);
  return due;
}

std::optional<instant> due_of(const tree_state& tree, const turn& t, const limits& bounds) {
  const bool unasked = t.row.origin == turn_origin::unasked;
  auto due =
      unasked ? t.row.last_frame_at.value_or(t.row.record.created) + unasked_silence_max : given_up_at(tree, t, bounds);
  keep_earlier(due, t.row.cancel_deadline);
  return due;
}

void give_up(step& s, turn& t) {
  const bool here = s.tree.connected() != nullptr;
  end(s, t,
      {turn_state::error, here ? "lost_contact" : "agent_lost",
       here ? "The agent is there, but was not heard on this turn again." : "The agent did not come back.", false});
}

void end_due_turns(step& s) {
  const auto open = s.tree.open;
  for (auto* t : open) {
    const auto due = due_of(s.tree, *t, s.at.bounds);
    if (!due || *due > s.at.now) continue;
    if (t->row.cancel_deadline && *t->row.cancel_deadline <= s.at.now) {
      end(s, *t, {.to = turn_state::interrupted, .by_agent = false});
    } else if (t->row.origin == turn_origin::unasked) {
      end(s, *t, {.to = turn_state::complete, .by_agent = false});
    } else {
      give_up(s, *t);
    }
  }
}

void notice_silence(step& s) {
  auto* over = s.tree.connected();
  if (!over) return;
  if (!s.tree.heard_at) s.tree.heard_at = s.at.steady;
  if (s.at.steady - *s.tree.heard_at >= bridge_silence_max) lose(s, *over);
}

}  // namespace

void on_time(step& s) {
  if (!s.tree.root()) return;
  for (auto& a : s.tree.attachments | std::views::values) {
    seal_when_done(s, a);
    if (a.gate_deadline && *a.gate_deadline <= s.at.now) open_gate(s, a);
  }
  end_due_turns(s);
  notice_silence(s);
}

void listen_afresh(step& s) {
  s.tree.heard_at = s.at.steady;
}

void adopt_epoch(step& s) {
  for (auto& m : s.tree.members | std::views::values) {
    if (m.head.epoch == s.at.epoch || m.head.epoch == 0) continue;
    m.head.epoch = s.at.epoch;
    s.head_changed(m);
    for (auto* t : s.tree.open) {
      if (t->row.record.session == m.id() && t->holds_queue()) doubt(s, *t);
    }
    // What was lost may have been another command with the same prompt.
    for (auto& c : s.tree.commands | std::views::values) {
      if (c.session != m.id() || c.kind != command_kind::chat_message) continue;
      c.redelivered = true;
      s.changed(c);
    }
  }
}

tree::deadlines next_due(const tree_state& tree) {
  tree::deadlines next;
  const auto* over = tree.connected();
  // Before its first decision a tree knows neither its bounds nor whom it has heard: it is due at once.
  if (!tree.bounds) {
    if (over || !tree.open.empty()) next.steady = millis{0};
    return next;
  }
  for (const auto* t : tree.open) keep_earlier(next.at, due_of(tree, *t, *tree.bounds));
  for (const auto& a : tree.attachments | std::views::values) {
    if (&a == over && !a.gate_open) keep_earlier(next.at, a.gate_deadline);
    if (a.state == attachment_state::superseded && a.superseded_at) {
      keep_earlier(next.at, *a.superseded_at + seal_patience);
    }
  }
  if (over) next.steady = tree.heard_at ? *tree.heard_at + bridge_silence_max : millis{0};
  return next;
}

}  // namespace throughline::state_sync
