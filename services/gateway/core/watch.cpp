#include "services/gateway/core/watch.hpp"

#include <algorithm>
#include <utility>

namespace throughline::gateway {

using replay::live_event;

void watch::set_state(viewer& v, viewer_state to) {
  --count(v.state);
  v.state = to;
  ++count(to);
  if (to != viewer_state::awaiting_state) return;
  v.needs = std::max(seen_, splice_.held());
  v.needs_read = reads_asked_ + 1;
}

void watch::release(viewer_key who) {
  set_state(viewers_[who], viewer_state::vacant);
  free_.push_back(who);
}

bool watch::may_watch(const viewer& v) const {
  return access_ && right_of(*access_, v.user) >= right::watch;
}

/// True iff everything after `since` up to `given_` is in the ring, and little enough to be sent as events.
bool watch::covers(position since) const {
  if (since.epoch != given_.epoch) return false;
  if (since.seq >= given_.seq) return true;
  const auto missed = given_.seq - since.seq;
  return missed <= ring_.size() && missed <= tail_events_max;
}

bool watch::is_verified(millis now) const {
  return state_ && splice_.status() != replay::splice_status::awaiting_snapshot && now - verified_at_ <= reuse_max;
}

bool watch::state_is_current(millis now) const {
  return is_verified(now) && state_->head >= splice_.held() && state_->head >= seen_;
}

/// The first frame is current as of the viewer's connection (G3), not as of an earlier read.
bool watch::is_current_for(const viewer& v) const {
  return state_->head >= v.needs || state_read_ >= v.needs_read;
}

viewer_key watch::knock(const user_id& user, wire_version version, millis now, watch_effects& out) {
  if (free_.empty()) {
    free_.push_back(static_cast<viewer_key>(viewers_.size()));
    viewers_.emplace_back();
    ++count(viewer_state::vacant);
  }
  const auto who = free_.back();
  free_.pop_back();
  auto& v = viewers_[who];
  v.version = version;
  v.user = user;
  v.knocked_at = now;
  v.at = {};
  if (gone_) {
    release(who);
    out.push_back(effect::refuse{who});
  } else if (is_verified(now) && may_watch(v)) {
    set_state(v, viewer_state::admitted);
    out.push_back(effect::admit{who});
  } else {
    set_state(v, viewer_state::knocking);
    ask_snapshot(now, out);
  }
  return who;
}

void watch::open(viewer_key who, std::optional<position> since, millis now, watch_effects& out) {
  auto& v = viewers_[who];
  if (gone_ || !may_watch(v)) {
    release(who);
    out.push_back(effect::close_not_found{who});
    return;
  }
  v.since = v.version == wire_version::v2 ? since.value_or(position()) : position();
  if (v.since != position() && may_resume(v.since)) {
    v.resumes_by = resume_ticket_ + 1;
    set_state(v, viewer_state::resuming);
    ask_resume(out);
    return;
  }
  give_up_resuming(v);
  serve_awaiting(now, out);
}

void watch::leave(viewer_key who) {
  if (viewers_[who].state != viewer_state::vacant) release(who);
}

void watch::overflowed(viewer_key who, position has) {
  auto& v = viewers_[who];
  if (v.state == viewer_state::vacant) return;
  v.at = has.epoch == given_.epoch ? has : position{};
  set_state(v, viewer_state::lagging);
}

void watch::writable(viewer_key who, millis now, watch_effects& out) {
  auto& v = viewers_[who];
  if (v.state != viewer_state::lagging) return;
  if (give_tail(who, out)) return;
  set_state(v, viewer_state::drained);
  time_passed(now, out);
}

/// Sends what the viewer missed, where the ring has it and it is little.
bool watch::give_tail(viewer_key who, watch_effects& out) {
  auto& v = viewers_[who];
  if (v.at.epoch == 0 || !covers(v.at)) return false;
  if (v.at < given_) {
    auto tail = ring_.after(v.at);
    if (!tail) return false;
    std::size_t bytes = 0;
    for (const auto& e : *tail) bytes += e.body->size();
    if (bytes > tail_bytes_max) return false;
    for (auto& e : *tail) out.push_back(effect::send_event{{who}, std::move(e)});
    v.at = given_;
  }
  set_state(v, viewer_state::live);
  return true;
}

void watch::event(live_event arrived, millis now, watch_effects& out) {
  if (gone_) return;
  seen_ = std::max(seen_, arrived.at);
  follow(splice_.event(std::move(arrived)), now, out);
}

void watch::access_changed(std::uint64_t epoch, const access_list& access, watch_effects& out) {
  adopt_access(epoch, access, out);
}

void watch::deleted(watch_effects& out) {
  close_all(out);
}

void watch::snapshot(std::optional<session_reading> reading, millis now, watch_effects& out) {
  if (gone_ || !asked_snapshot_at_) return;
  const auto asked_at = *std::exchange(asked_snapshot_at_, std::nullopt);
  if (!reading) {
    retry_snapshot_at_ = now + retry_after;
    return;
  }
  if (!reading->found) return close_all(out);
  auto step = splice_.snapshot(reading->head);
  if (step.reset) {
    start_over();
    step = splice_.snapshot(reading->head);
  }
  if (step.stale) {
    retry_snapshot_at_ = now + retry_after;
    return;
  }
  adopt_access(reading->head.epoch, reading->access, out);
  auto state = std::make_shared<full_state>();
  state->head = reading->head;
  state->body = std::make_shared<const std::string>(std::move(reading->body));
  if (!reading->baseline.empty()) state->baseline = std::make_shared<const std::string>(std::move(reading->baseline));
  if (given_.epoch == 0) given_ = state->head;
  state_ = std::move(state);
  state_read_ = reads_asked_;
  seen_ = std::max(seen_, state_->head);
  verified_at_ = asked_at;
  answer_knocks(asked_at, now, out);
  give_state(now, out);
  follow(std::move(step), now, out);
}

void watch::range(std::uint64_t ticket, std::optional<std::vector<live_event>> events, bool known, millis now,
                  watch_effects& out) {
  if (gone_ || ticket != range_ticket_) return;
  follow(events ? splice_.range(std::move(*events), known) : splice_.range_failed(), now, out);
}

void watch::head(position held_when_asked, const head_reading& reading, millis asked_at, millis now,
                 watch_effects& out) {
  if (gone_) return;
  if (!reading.found) return close_all(out);
  adopt_access(reading.head.epoch, reading.access, out);
  auto step = splice_.head(held_when_asked, reading.head);
  seen_ = step.reset ? reading.head : std::max(seen_, reading.head);
  follow(std::move(step), now, out);
  found_ = found_head{reading.head, asked_at};
  verify(now, out);
}

/// A head that was found counts once everything up to it is here: at once, or when what is on its way has come.
void watch::verify(millis now, watch_effects& out) {
  const auto held = splice_.held();
  if (!found_ || found_->at.epoch != held.epoch || found_->at.seq > held.seq) return;
  verified_at_ = std::max(verified_at_, std::exchange(found_, std::nullopt)->asked_at);
  beat(now, out);
}

void watch::time_passed(millis now, watch_effects& out) {
  if (gone_) return;
  if (look_again_ && look_again_->due <= now) {
    const auto at = std::exchange(look_again_, std::nullopt)->at;
    follow(splice_.head_again(at), now, out);
  }
  if (retry_snapshot_at_ && *retry_snapshot_at_ <= now) {
    retry_snapshot_at_.reset();
    const bool wanted = splice_.status() == replay::splice_status::awaiting_snapshot || any(viewer_state::knocking) ||
                        any(viewer_state::awaiting_state);
    if (wanted) ask_snapshot(now, out);
  }
  if (any(viewer_state::drained) && next_laggard_state_ <= now) {
    next_laggard_state_ = now + laggard_gap;
    for (auto& v : viewers_) {
      if (v.state == viewer_state::drained) set_state(v, viewer_state::awaiting_state);
    }
    ask_snapshot(now, out);
  }
}

std::optional<millis> watch::next_deadline() const {
  std::optional<millis> next;
  const auto consider = [&](millis at) { next = next ? std::min(*next, at) : at; };
  if (look_again_) consider(look_again_->due);
  if (retry_snapshot_at_) consider(*retry_snapshot_at_);
  if (any(viewer_state::drained)) consider(next_laggard_state_);
  return next;
}

void watch::follow(replay::step step, millis now, watch_effects& out) {
  if (step.reset) start_over();
  for (auto& e : step.forward) forward(std::move(e), out);
  if (step.want_snapshot) ask_snapshot(now, out);
  if (step.fetch) out.push_back(effect::ask_range{++range_ticket_, *step.fetch});
  if (step.look_again) {
    const auto due = look_again_ ? look_again_->due : now + look_again_after;
    look_again_ = look{look_again_ ? std::max(look_again_->at, *step.look_again) : *step.look_again, due};
  }
  verify(now, out);
}

/// Nothing given so far counts any more (G2 and G3: all or nothing).
void watch::start_over() {
  ring_.clear();
  given_ = {};
  state_.reset();
  look_again_.reset();
  ++range_ticket_;
  ++resume_ticket_;
  resuming_from_.reset();
  resume_above_.reset();
  resume_halves_ = false;
  for (auto& v : viewers_) {
    v.at = {};
    const bool starts_over =
        v.state == viewer_state::live || v.state == viewer_state::drained || v.state == viewer_state::resuming;
    if (starts_over) set_state(v, viewer_state::awaiting_state);
  }
}

void watch::ask_snapshot(millis now, watch_effects& out) {
  if (asked_snapshot_at_) return;
  asked_snapshot_at_ = now;
  ++reads_asked_;
  retry_snapshot_at_.reset();
  out.push_back(effect::ask_snapshot{});
}

/// The newest list counts; an older answer that comes late does not bring a right back.
void watch::adopt_access(std::uint64_t epoch, const access_list& access, watch_effects& out) {
  if (access_) {
    if (epoch < access_epoch_ || (epoch == access_epoch_ && access.version <= access_->version)) return;
  }
  access_ = access;
  access_epoch_ = epoch;
  for (viewer_key who = 0; who < viewers_.size(); ++who) {
    const auto& v = viewers_[who];
    const bool is_open = v.state >= viewer_state::awaiting_state;
    if (!is_open || may_watch(v)) continue;
    release(who);
    out.push_back(effect::close_not_found{who});
  }
}

void watch::close_all(watch_effects& out) {
  gone_ = true;
  for (viewer_key who = 0; who < viewers_.size(); ++who) {
    const auto was = viewers_[who].state;
    if (was == viewer_state::vacant || was == viewer_state::admitted) continue;
    release(who);
    if (was == viewer_state::knocking) {
      out.push_back(effect::refuse{who});
    } else {
      out.push_back(effect::close_not_found{who});
    }
  }
}

/// A no counts only from a read that left after the knock: a right may have been granted in between.
void watch::answer_knocks(millis asked_at, millis now, watch_effects& out) {
  if (!any(viewer_state::knocking)) return;
  for (viewer_key who = 0; who < viewers_.size(); ++who) {
    auto& v = viewers_[who];
    if (v.state != viewer_state::knocking) continue;
    if (may_watch(v)) {
      set_state(v, viewer_state::admitted);
      out.push_back(effect::admit{who});
    } else if (v.knocked_at <= asked_at) {
      release(who);
      out.push_back(effect::refuse{who});
    }
  }
  if (any(viewer_state::knocking)) ask_snapshot(now, out);
}

/// The full state, and what came after it, to all who wait for it.
void watch::give_state(millis now, watch_effects& out) {
  if (!any(viewer_state::awaiting_state)) return;
  if (!covers(state_->head)) return ask_snapshot(now, out);
  effect::send_state v1{{}, state_, true};
  effect::send_state v2{{}, state_, false};
  std::vector<viewer_key> others;
  bool again = false;
  for (viewer_key who = 0; who < viewers_.size(); ++who) {
    auto& v = viewers_[who];
    if (v.state != viewer_state::awaiting_state) continue;
    if (!is_current_for(v)) {
      again = true;
      continue;
    }
    if (v.at >= state_->head) {  // a laggard that has more than this read saw: never a step back
      others.push_back(who);
      continue;
    }
    v.at = state_->head;
    set_state(v, viewer_state::live);
    (v.version == wire_version::v1 ? v1 : v2).to.push_back(who);
  }
  auto served = v1.to;
  served.insert(served.end(), v2.to.begin(), v2.to.end());
  if (!v1.to.empty()) out.push_back(std::move(v1));
  if (!v2.to.empty()) out.push_back(std::move(v2));
  if (state_->head < given_ && !served.empty()) {
    auto tail = ring_.after(state_->head);
    for (auto& e : *tail) out.push_back(effect::send_event{served, std::move(e)});
    for (const auto who : served) viewers_[who].at = given_;
  }
  for (const auto who : others) again = !give_tail(who, out) || again;
  if (again) ask_snapshot(now, out);
}

void watch::forward(live_event event, watch_effects& out) {
  given_ = event.at;
  ring_.add(event);
  effect::send_event send{{}, std::move(event)};
  for (viewer_key who = 0; who < viewers_.size(); ++who) {
    auto& v = viewers_[who];
    if (v.state != viewer_state::live || !(v.at < given_)) continue;
    v.at = given_;
    send.to.push_back(who);
  }
  if (!send.to.empty()) out.push_back(std::move(send));
}

}  // namespace throughline::gateway
