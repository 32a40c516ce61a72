// What an attachment makes of the frames of its socket; and for a v2 agent, which are new and how far it is committed.

#include <string>
#include <utility>

#include "common/codec/close_codes.hpp"
#include "services/agent-bridge/core/attachment.hpp"

namespace throughline::agent_bridge {

void attachment::on(const input::attach_committed& in, moment) {
  attached_ = true;
  if (!who_.instance) return;
  numbers_.emplace(in.agent_seq);
  acks_ = ack_pacer(in.agent_seq);
  effects_.push_back(effect::resume{{in.epoch, in.agent_seq}});
}

void attachment::on(input::frame_read& in, moment now) {
  if (reading_is_over() || !is_new(in.agent_seq, now)) return;
  if (!std::holds_alternative<agent::ping>(in.event)) {
    if (outbox_.add(std::move(in.event), in.agent_seq.value_or(0))) ++merged_;
  } else if (numbers_) {
    outbox_.add_number(*in.agent_seq);
  }
}

void attachment::on(const input::frame_ignored& in, moment now) {
  if (!numbers_ || reading_is_over() || !is_new(in.agent_seq, now)) return;
  outbox_.add_number(*in.agent_seq);
}

void attachment::on(const input::bad_frame& in, moment now) {
  if (reading_is_over()) return;
  if (numbers_ && in.agent_seq) {
    if (!is_new(in.agent_seq, now)) return;
    outbox_.add_number(*in.agent_seq);
  } else if (numbers_) {
    numbers_->unreadable();
  }
  complain(in.message, now);
}

/// False for a frame of a v2 agent that is to be dropped.
bool attachment::is_new(std::optional<std::uint64_t> agent_seq, moment now) {
  if (!numbers_) return true;
  if (!agent_seq) {
    numbers_->unreadable();
    complain("seq is missing or no whole number from 1 on", now);
    return false;
  }
  const auto found = numbers_->read(*agent_seq);
  switch (found.what) {
    case agent_numbers::verdict::take:
      if (found.skipped > 0) effects_.push_back(effect::frames_skipped{found.skipped});
      return true;
    case agent_numbers::verdict::repeat:
      effects_.push_back(effect::frame_repeated{});
      // Above that the ack comes with the commit of the first copy.
      if (*agent_seq <= acks_.committed()) acks_.owe(acks_.committed());
      return false;
    case agent_numbers::verdict::gap:
      close(codec::close_code::policy, "frames before seq " + std::to_string(*agent_seq) + " are missing");
      begin_ending(ending::misbehaved, now);
      return false;
  }
  return false;
}

void attachment::complain(std::string message, moment now) {
  effects_.push_back(effect::complain{"bad_frame", std::move(message)});
  if (!bad_frames_.count(now)) return;
  close(codec::close_code::policy, "too many frames that cannot be read");
  begin_ending(ending::misbehaved, now);
}

/// The database came back with less than it had committed: what the agent was told is there, it does not keep.
void attachment::lost_again(std::uint64_t committed) {
  if (numbers_ && committed < acks_.committed()) {
    effects_.push_back(effect::frames_skipped{acks_.committed() - committed});
  }
}

void attachment::acknowledge_agent(moment now) {
  if (!socket_open_) return;
  if (const auto committed = acks_.take(now)) effects_.push_back(effect::acknowledge{*committed});
}

}  // namespace throughline::agent_bridge
