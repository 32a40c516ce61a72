#include "services/agent-bridge/core/attachment.hpp"

#include <algorithm>
#include <utility>

#include "common/codec/close_codes.hpp"

namespace throughline::agent_bridge {

namespace close_code = codec::close_code;

attachment::attachment(attachment_identity who, outbox_limits limits, std::uint64_t chance_seed)
    : who_(std::move(who)), outbox_(limits), chance_(chance_seed) {}

attachment_effects attachment::apply(attachment_input what, moment now) {
  effects_.clear();
  if (phase_ == phase::finished) return {};
  std::visit([&](auto& in) { on(in, now); }, what);
  go_on(now);
  return std::exchange(effects_, {});
}

std::optional<moment> attachment::next_wake() const {
  if (phase_ == phase::finished) return std::nullopt;
  std::optional<moment> next = close_by_;
  const auto consider = [&](moment at) { next = next ? std::min(*next, at) : at; };
  if (const auto ack = acks_.next_wake(); ack && socket_open_) consider(*ack);
  if (!frames_lane_.under_way && !outbox_.empty() && !attach_again_) consider(frames_lane_.not_before);
  if (life_lane_.under_way) return next;
  const bool may_end = reading_is_over() && outbox_.empty() && !frames_lane_.under_way;
  if (attach_again_ || may_end) consider(life_lane_.not_before);
  return next;
}

void attachment::on(const input::answered& in, moment now) {
  auto& state = state_of(in.which);
  state.under_way = false;
  state.unanswered = 0;
  if (const auto* later = std::get_if<deferred>(&in.what)) {
    ++state.failures;
    // The owner lives and has named the pause: spared when it says so for long, and never left out of sight.
    const auto named = millis(later->after_ms);
    const auto usual = retry_delay(state.failures, chance_.next());
    defer(state, named > millis(0) ? std::max(named, std::min(named * 4, usual)) : usual, now);
  } else if (in.which == lane::life) {
    on_life_reply(in.what, now);
  } else if (const auto* result = std::get_if<hand_over_result>(&in.what)) {
    on_hand_over_reply(*result, now);
  } else {
    on(input::unanswered{lane::frames, send_failure::unusable}, now);
  }
}

void attachment::on(const input::unanswered& in, moment now) {
  auto& state = state_of(in.which);
  state.under_way = false;
  ++state.failures;
  if (in.why == send_failure::timeout) ++state.unanswered;
  if (in.which == lane::frames && may_have_happened(in.why)) ++attempt_;
  defer(state, retry_delay(in.why, state.failures, chance_.next()), now);
}

void attachment::on(const input::not_renewed& in, moment now) {
  if (!wants_renewal()) return;
  if (in.why == renewal_fault::unknown && phase_ == phase::live) unknown_to_owner(now);
  if (in.why == renewal_fault::superseded) begin_ending(ending::superseded, now);
}

void attachment::on(const input::ordered& in, moment now) {
  std::visit([&](const auto& order) { on_order(in.asked, order, now); }, in.what);
}

void attachment::on(const input::command_settled& in, moment) {
  const auto outcome = in.written ? order_outcome::written : order_outcome::not_written;
  for (const auto asked : ledger_.finish(in.command, outcome)) {
    effects_.push_back(effect::answer_order{asked, outcome});
  }
}

void attachment::on(const input::ack_settled& in, moment now) {
  acks_.settled(in.written, now);
}

void attachment::on(const input::socket_ended&, moment now) {
  socket_open_ = false;
  close_by_.reset();
  begin_ending(ending::socket_gone, now);
}

/// Its close frame is the agent's cue to come again elsewhere; what it says until it has read that is still heard,
/// since a stock agent says nothing twice.
void attachment::on(const input::drain&, moment) {
  if (phase_ != phase::live) return;
  phase_ = phase::leaving;
  ending_ = ending::going_away;
  close(close_code::going_away, "the server is going away", true);
}

void attachment::on(const input::drain_over&, moment now) {
  if (phase_ == phase::leaving) begin_ending(ending::going_away, now);
}

void attachment::on(const input::wire_restored&, moment now) {
  for (auto* state : {&frames_lane_, &life_lane_}) {
    state->failures = 0;
    state->unanswered = 0;
    state->not_before = std::min(state->not_before, now);
  }
}

void attachment::on_order(ticket asked, const write_command& order, moment) {
  const auto known = ledger_.begin(order.command, asked);
  if (known.what == command_ledger::verdict::answered) {
    effects_.push_back(effect::answer_order{asked, known.outcome});
  } else if (known.what == command_ledger::verdict::write) {
    if (phase_ == phase::live && socket_open_) {
      effects_.push_back(effect::write_command{order.command, order.body});
    } else {
      ledger_.finish(order.command, order_outcome::not_written);
      effects_.push_back(effect::answer_order{asked, order_outcome::not_written});
    }
  }
}

void attachment::on_order(ticket asked, const supersede&, moment now) {
  effects_.push_back(effect::answer_order{asked, order_outcome::written});
  begin_ending(ending::superseded, now);
}

void attachment::on_order(ticket asked, const close_attachment& order, moment now) {
  effects_.push_back(effect::answer_order{asked, order_outcome::written});
  close(static_cast<std::uint16_t>(order.code), order.reason);
  begin_ending(ending::ordered, now);
}

void attachment::on_hand_over_reply(const hand_over_result& result, moment now) {
  auto& state = frames_lane_;
  const auto before = outbox_.acknowledged();
  bool fits = true;
  switch (result.status) {
    case hand_over_status::applied:
      fits = outbox_.acknowledge(result.number);
      break;
    case hand_over_status::expected:
      fits = result.number > 0 && outbox_.acknowledge(result.number - 1);
      break;
    case hand_over_status::need_full:
      fits = outbox_.need_full(result.number);
      break;
    case hand_over_status::superseded:
      return begin_ending(ending::superseded, now), finish("superseded");
    case hand_over_status::unknown:
      return unknown_to_owner(now);
    case hand_over_status::refused:
      fits = outbox_.acknowledge(result.number);
      if (fits) effects_.push_back(effect::frame_refused{result.number, result.code});
      break;
  }
  if (outbox_.acknowledged_agent_seq() > acks_.committed()) acks_.owe(outbox_.acknowledged_agent_seq());
  if (outbox_.acknowledged() > before) {
    attempt_ = 1;
    return succeeded(state, now);
  }
  // No progress, yet an answer: at once the first time (a full content, or from where the owner is), then with pauses.
  ++state.failures;
  if (fits && state.failures == 1) return defer(state, millis(0), now);
  defer(state, retry_delay(state.failures, chance_.next()), now);
}

void attachment::on_life_reply(const reply& what, moment now) {
  if (const auto* refusal = std::get_if<attach_refused>(&what)) {
    close(refusal->status == 404   ? close_code::not_found
          : refusal->status == 409 ? close_code::superseded
                                   : close_code::policy,
          refusal->code);
    return finish("attach refused");
  }
  const bool fits =
      asked_ == life_question::attach ? std::holds_alternative<attached>(what) : std::holds_alternative<noted>(what);
  if (!fits) return on(input::unanswered{lane::life, send_failure::unusable}, now);
  succeeded(life_lane_, now);
  switch (asked_) {
    case life_question::attach:
      attach_again_ = false;
      lost_again(std::get<attached>(what).agent_seq);
      break;
    case life_question::end:
      finish(ending_ == ending::superseded ? "sealed" : "detached");
  }
}

/// The database lost it (a restore, a failover with loss) or the session is gone. A live socket attaches again under
/// the same id; a dead one must not, for it would supersede the living.
void attachment::unknown_to_owner(moment now) {
  if (phase_ != phase::live) return finish("unknown to the owner");
  attach_again_ = true;
  succeeded(life_lane_, now);
  succeeded(frames_lane_, now);
}

void attachment::begin_ending(ending why, moment now) {
  if (phase_ == phase::finished) return;
  const auto before = std::exchange(phase_, phase::draining);
  if (before == phase::live || why == ending::superseded) ending_ = why;
  attach_again_ = false;
  if (before != phase::draining) life_lane_.not_before = std::min(life_lane_.not_before, now);
  if (ending_ == ending::superseded && socket_open_ && !close_by_) close_by_ = now + supersede_grace;
}

void attachment::go_on(moment now) {
  if (phase_ == phase::finished) return;
  acknowledge_agent(now);
  if (close_by_ && now >= *close_by_) close(close_code::superseded, "a newer connection of this session took over");
  if (!frames_lane_.under_way && !outbox_.empty() && !attach_again_ && now >= frames_lane_.not_before) ask_frames();
  if (!life_lane_.under_way && now >= life_lane_.not_before) ask_life();
}

void attachment::ask_frames() {
  frames_lane_.under_way = true;
  effects_.push_back(effect::ask_owner{lane::frames,
                                       hand_over{.session = who_.session,
                                                 .attachment = who_.attachment,
                                                 .bridge = who_.bridge,
                                                 .acknowledged = outbox_.acknowledged(),
                                                 .attempt = attempt_,
                                                 .frames = outbox_.batch()},
                                       attempt_time(frames_lane_.unanswered)});
}

void attachment::ask_life() {
  const auto ask = [&](life_question what, session_request request) {
    life_lane_.under_way = true;
    asked_ = what;
    effects_.push_back(effect::ask_owner{lane::life, std::move(request), attempt_time(life_lane_.unanswered)});
  };
  if (attach_again_) {
    ask(life_question::attach, attach{who_.session, who_.attachment, who_.bridge, who_.token_hash, who_.instance});
  } else if (reading_is_over() && outbox_.empty() && !frames_lane_.under_way) {
    if (ending_ == ending::superseded) {
      ask(life_question::end, seal{who_.session, who_.attachment, outbox_.last_number()});
    } else {
      ask(life_question::end, detach{who_.session, who_.attachment, outbox_.last_number()});
    }
  }
}

void attachment::close(std::uint16_t code, std::string reason, bool hear_out) {
  close_by_.reset();
  if (!std::exchange(socket_open_, false)) return;
  if (const auto last = acks_.take_last()) effects_.push_back(effect::acknowledge{*last});
  effects_.push_back(effect::close_socket{code, std::move(reason), hear_out});
}

void attachment::finish(std::string_view why) {
  if (phase_ == phase::finished) return;
  if (ending_ == ending::superseded) close(close_code::superseded, "a newer connection of this session took over");
  close(close_code::going_away, "");
  phase_ = phase::finished;
  // What a v2 agent has no ack of, it says again.
  effects_.push_back(effect::finished{why, numbers_ ? 0 : outbox_.frames()});
  outbox_.drop_all();
}

void attachment::defer(lane_state& which, millis delay, moment now) {
  which.not_before = now + delay;
}

void attachment::succeeded(lane_state& which, moment now) {
  which.failures = 0;
  which.not_before = now;
}

}  // namespace throughline::agent_bridge
