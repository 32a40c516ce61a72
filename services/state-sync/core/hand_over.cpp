#include "services/state-sync/core/hand_over.hpp"

#include <algorithm>
#include <optional>
#include <ranges>
#include <span>

#include "services/state-sync/core/attachments.hpp"
#include "services/state-sync/core/commands.hpp"
#include "services/state-sync/core/frames.hpp"
#include "services/state-sync/core/instances.hpp"
#include "services/state-sync/core/resolver.hpp"
#include "services/state-sync/core/suspects.hpp"

namespace throughline::state_sync {
namespace {

/// How long a bridge waits before it asks again while an older attachment is being sealed.
constexpr std::uint32_t seal_poll_ms = 50;

void heard(step& s, attachment_row& a) {
  if (s.tree.newest() != &a) return;
  s.tree.heard_at = s.at.steady;
  if (a.state == attachment_state::detached && !a.last_number) revive(s, a);
}

void number_applied(step& s, attachment_row& a, std::uint64_t number) {
  a.applied = number;
  move_mark(a, number);
  s.changed(a);
}

void frame_done(step& s, attachment_row& a, const numbered_frame& f) {
  if (a.instance) a.agent_seq = std::max(a.agent_seq, f.agent_seq);
  number_applied(s, a, f.number);
}

/// A numbered agent says again, over another socket, what it was not told to be committed (5.5).
bool came_before(const step& s, const attachment_row& a, const numbered_frame& f) {
  return a.instance && f.agent_seq != 0 && f.agent_seq <= committed_of(s.tree, *a.instance);
}

void note_life(step& s) {
  auto& root = *s.tree.root();
  root.head.last_event_at = s.at.now;
  s.head_changed(root);
}

/// Late frames of an older socket may have bound the thread that the newest socket should have been told to open (5.5).
void open_thread_late(step& s, const attachment_row& spoke) {
  auto* over = s.tree.connected();
  if (!over || over == &spoke || over->gate_open || over->open_thread_request) return;
  send_open_thread(s, *over);
}

/// Applies what follows in order; says where the bridge goes on.
hand_over_result apply_frames(step& s, attachment_row& a, std::span<const numbered_frame> frames) {
  const auto before = a.applied;
  for (const auto& f : frames) {
    if (f.number <= a.applied) continue;
    if (f.number != a.applied + 1) return {hand_over_status::expected, a.applied + 1, {}};
    note_life(s);
    const bool anew = f.event && !came_before(s, a, f);
    const auto done = anew ? apply_frame(s, a, *f.event) : verdict::applied;
    if (done == verdict::need_full) return {hand_over_status::need_full, f.number, {}};
    if (done == verdict::unread) {
      if (a.applied == before) throw broken_invariant{"a finished turn was needed and not read"};
      return {hand_over_status::expected, f.number, {}};
    }
    frame_done(s, a, f);
  }
  return {hand_over_status::applied, a.applied, {}};
}

hand_over_result refuse_next(step& s, attachment_row& a, const numbered_frame& next) {
  if (next.event && !came_before(s, a, next)) end_turn_of(s, *next.event);
  frame_done(s, a, next);
  return {hand_over_status::refused, next.number, "poison"};
}

/// What follows in order, as carefully as it deserves (design 3.6). Nothing: it has been marked, and is to be decided
/// again once that is committed.
std::optional<reply> take(step& s, attachment_row& a, const hand_over& h, std::uint64_t deadly) {
  const auto how = examine(s, a, h, deadly);
  if (how == caution::none) return apply_frames(s, a, h.frames);
  if (how == caution::mark) return std::nullopt;
  const auto next = std::ranges::find(h.frames, a.applied + 1, &numbered_frame::number);
  return how == caution::alone ? apply_frames(s, a, {next, 1}) : refuse_next(s, a, *next);
}

}  // namespace

void on_hand_over(step& s, const asked& ask, const hand_over& h) {
  const auto from = ask.from;
  const auto found = s.tree.attachments.find(h.attachment);
  if (found == s.tree.attachments.end() || !s.tree.root()) {
    return s.reply(from, hand_over_result{hand_over_status::unknown, 0, {}});
  }
  auto& a = found->second;
  for (auto& old : s.tree.attachments | std::views::values) seal_when_done(s, old);
  if (a.state == attachment_state::sealed) {
    const bool all_known = h.frames.empty() || h.frames.back().number <= a.applied;
    const auto status = all_known ? hand_over_status::applied : hand_over_status::superseded;
    return s.reply(from, hand_over_result{status, a.applied, {}});
  }
  heard(s, a);
  if (awaits_seal(s.tree, a)) return s.reply(from, deferred{deferral::busy, seal_poll_ms});
  if (h.acknowledged > a.applied) number_applied(s, a, h.acknowledged);
  auto result = take(s, a, h, ask.deadly);
  open_thread_late(s, a);
  seal_when_done(s, a);
  if (!result) return s.out.again();
  s.reply(from, std::move(*result));
}

std::vector<std::pair<session_id, interaction_id>> facts_of(tree_state& tree, const hand_over& h) {
  std::vector<std::pair<session_id, interaction_id>> out;
  const auto found = tree.attachments.find(h.attachment);
  if (found == tree.attachments.end()) return out;
  const auto applied = std::max(found->second.applied, h.acknowledged);
  for (const auto& f : h.frames) {
    if (f.number <= applied || !f.event) continue;
    for (const auto* t : unread_for(tree, *f.event)) {
      std::pair key{t->row.record.session, t->id()};
      if (std::ranges::find(out, key) == out.end()) out.push_back(std::move(key));
    }
  }
  return out;
}

}  // namespace throughline::state_sync
