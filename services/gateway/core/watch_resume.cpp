// v2: viewers that say where they stopped, heartbeats, and full states on demand (design 5.4).

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "services/gateway/core/watch.hpp"

namespace throughline::gateway {

namespace {

/// Whether a viewer that stopped at `since` goes on within `answer`, which was asked from `asked`: a position of the
/// current epoch, or of the event stored under its number (design 3.4).
bool can_resume(position since, position asked, const resumption& answer) {
  if (since == asked) return true;
  if (since.seq <= asked.seq || since.seq - asked.seq > answer.events.size()) return false;
  return since.epoch == answer.head.epoch || answer.events[since.seq - asked.seq - 1].at.epoch == since.epoch;
}

}  // namespace

/// False where no read can find that `since` can be resumed: it is of an epoch to come, or more events behind than are
/// given.
bool watch::may_resume(position since) const {
  return given_.epoch != 0 && since.epoch <= given_.epoch && since.seq + resume_events_max >= given_.seq;
}

/// What is older than what it has seen elsewhere is not current for it either.
void watch::give_up_resuming(viewer& v) {
  set_state(v, viewer_state::awaiting_state);
  v.needs = std::max(v.needs, v.since);
}

/// One read at a time. It serves all that stopped behind its start, so the first one starts at the lowest position.
void watch::ask_resume(watch_effects& out) {
  if (resuming_from_) return;
  std::vector<position> waiting;
  for (const auto& v : viewers_) {
    if (v.state == viewer_state::resuming) waiting.push_back(v.since);
  }
  if (waiting.empty()) {
    resume_above_.reset();
    resume_halves_ = false;
    return;
  }
  resuming_from_ = resume_start(std::move(waiting));
  out.push_back(effect::ask_resume{++resume_ticket_, *resuming_from_});
}

/// Each read whose start was too far behind, or not, settles half of those that wait: as many reads as their number has
/// binary digits (G10).
position watch::resume_start(std::vector<position> waiting) {
  const auto above = std::exchange(resume_above_, std::nullopt);
  const auto lower = [](position a, position b) { return a.seq < b.seq; };
  if (above && std::ranges::any_of(waiting, [&](position p) { return p.seq > *above; })) {
    return {given_.epoch, *above};
  }
  const auto middle = waiting.begin() + static_cast<std::ptrdiff_t>(resume_halves_ ? waiting.size() / 2 : 0);
  std::ranges::nth_element(waiting, middle, lower);
  return *middle;
}

void watch::resumed(std::uint64_t ticket, std::optional<resumption> answer, millis now, watch_effects& out) {
  if (gone_ || ticket != resume_ticket_ || !resuming_from_) return;
  const auto asked = *std::exchange(resuming_from_, std::nullopt);
  const bool usable = answer && answer->known && answer->complete && answer->head.epoch == given_.epoch;
  if (usable && asked.seq <= answer->head.seq) {
    resume_halves_ = false;  // the next one starts at the lowest again: nobody waits for ever while others come
    replay_to_all(asked, *answer, out);
  } else {
    resume_in_vain(asked, answer);
  }
  serve_awaiting(now, out);
  ask_resume(out);
}

/// Who else cannot be given what it missed, by this answer, waits for the full state.
void watch::resume_in_vain(position asked, const std::optional<resumption>& answer) {
  const bool says_something = answer && answer->head.epoch == given_.epoch;
  const bool is_ahead = says_something && !answer->known && asked.epoch == given_.epoch;
  const bool is_far = says_something && answer->known;
  for (auto& v : viewers_) {
    if (v.state != viewer_state::resuming) continue;
    const bool was_there = v.resumes_by <= resume_ticket_;
    const bool in_vain = v.since == asked || (is_far && v.since.seq <= asked.seq) ||
                         (is_ahead && v.since.seq >= asked.seq && was_there) || (!says_something && was_there);
    if (in_vain) give_up_resuming(v);
  }
  if (is_far) resume_halves_ = true;
  // What is stored behind it, a read that starts there in the current epoch tells of all of them.
  if (says_something && !answer->known && !is_ahead) resume_above_ = asked.seq;
}

void watch::replay_to_all(position asked, const resumption& answer, watch_effects& out) {
  std::map<std::uint64_t, std::vector<viewer_key>> by_start;
  const position end{given_.epoch, asked.seq + answer.events.size()};
  for (viewer_key who = 0; who < viewers_.size(); ++who) {
    auto& v = viewers_[who];
    if (v.state != viewer_state::resuming) continue;
    // One that joined meanwhile and stopped before the read's start is asked for next.
    const bool concerned = v.since == asked || (v.since.seq > asked.seq && v.since.seq <= end.seq);
    if (!concerned) continue;
    if (covers(end) && can_resume(v.since, asked, answer)) {
      by_start[v.since.seq].push_back(who);
    } else {
      give_up_resuming(v);
    }
  }
  std::vector<replay::live_event> tail;
  if (!by_start.empty() && end < given_) tail = ring_.after(end).value_or(tail);
  for (auto& [start, to] : by_start) {
    const auto from = answer.events.begin() + static_cast<std::ptrdiff_t>(start - asked.seq);
    effect::send_replay replay{std::move(to), {from, answer.events.end()}, std::max(end, given_)};
    replay.what.insert(replay.what.end(), tail.begin(), tail.end());
    for (const auto who : replay.to) {
      viewers_[who].at = replay.at;
      set_state(viewers_[who], viewer_state::live);
    }
    out.push_back(std::move(replay));
  }
}

void watch::serve_awaiting(millis now, watch_effects& out) {
  if (!any(viewer_state::awaiting_state)) return;
  if (state_is_current(now)) {
    give_state(now, out);
  } else {
    ask_snapshot(now, out);
  }
}

void watch::resync(viewer_key who, millis now, watch_effects& out) {
  auto& v = viewers_[who];
  v.at = {};
  if (v.state != viewer_state::live && v.state != viewer_state::resuming) return;
  set_state(v, viewer_state::drained);
  time_passed(now, out);
}

/// Called when a head check has found what is held to be the head.
void watch::beat(millis now, watch_effects& out) {
  if (now < next_heartbeat_) return;
  effect::heartbeat beat;
  for (viewer_key who = 0; who < viewers_.size(); ++who) {
    const auto& v = viewers_[who];
    if (v.state == viewer_state::live && v.version == wire_version::v2) beat.to.emplace_back(who, v.at);
  }
  if (beat.to.empty()) return;
  next_heartbeat_ = now + heartbeat_after;
  out.push_back(std::move(beat));
}

}  // namespace throughline::gateway
