// v2: viewers that say where they stopped, heartbeats, and full states on demand (design 5.4).

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

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

/// One read at a time, from the lowest position: it serves all that stopped behind it.
void watch::ask_resume(watch_effects& out) {
  if (resuming_from_) return;
  for (const auto& v : viewers_) {
    if (v.state != viewer_state::resuming) continue;
    if (!resuming_from_ || v.since.seq < resuming_from_->seq) resuming_from_ = v.since;
  }
  if (resuming_from_) out.push_back(effect::ask_resume{++resume_ticket_, *resuming_from_});
}

void watch::resumed(std::uint64_t ticket, std::optional<resumption> answer, millis now, watch_effects& out) {
  if (gone_ || ticket != resume_ticket_ || !resuming_from_) return;
  const auto asked = *std::exchange(resuming_from_, std::nullopt);
  const bool usable = answer && answer->known && answer->complete && answer->head.epoch == given_.epoch &&
                      asked.seq <= answer->head.seq;
  std::map<std::uint64_t, std::vector<viewer_key>> by_start;
  const position end{given_.epoch, asked.seq + (usable ? answer->events.size() : 0)};
  for (viewer_key who = 0; who < viewers_.size(); ++who) {
    auto& v = viewers_[who];
    if (v.state != viewer_state::resuming) continue;
    // One that joined meanwhile and stopped before the read's start is asked for next.
    const bool concerned = v.since == asked || (usable && v.since.seq > asked.seq && v.since.seq <= end.seq);
    if (!concerned) continue;
    if (usable && covers(end) && can_resume(v.since, asked, *answer)) {
      by_start[v.since.seq].push_back(who);
    } else {
      set_state(v, viewer_state::awaiting_state);
    }
  }
  std::vector<replay::live_event> tail;
  if (!by_start.empty() && end < given_) tail = ring_.after(end).value_or(tail);
  for (auto& [start, to] : by_start) {
    const auto from = answer->events.begin() + static_cast<std::ptrdiff_t>(start - asked.seq);
    effect::send_replay replay{std::move(to), {from, answer->events.end()}, std::max(end, given_)};
    replay.what.insert(replay.what.end(), tail.begin(), tail.end());
    for (const auto who : replay.to) {
      viewers_[who].at = replay.at;
      set_state(viewers_[who], viewer_state::live);
    }
    out.push_back(std::move(replay));
  }
  serve_awaiting(now, out);
  ask_resume(out);
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
  if (v.state == viewer_state::live || v.state == viewer_state::resuming) set_state(v, viewer_state::awaiting_state);
  if (v.state == viewer_state::awaiting_state) ask_snapshot(now, out);
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
