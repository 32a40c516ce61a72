#pragma once
// One life of an agent socket as the bridge sees it: frames in, numbered hand-overs out until they are committed,
// commands written once, and an orderly end (design 3.9, 3.10, 5.5, 6.2, 6.3). For a v2 agent also: where it
// goes on, which of its frames are new, and how far it is committed. Pure: inputs and time in, effects out, which the
// shell carries out in order.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ulid.hpp"
#include "services/agent-bridge/core/ack_pacer.hpp"
#include "services/agent-bridge/core/agent_numbers.hpp"
#include "services/agent-bridge/core/attachment_messages.hpp"
#include "services/agent-bridge/core/bad_frame_meter.hpp"
#include "services/agent-bridge/core/command_ledger.hpp"
#include "services/agent-bridge/core/outbox.hpp"

namespace throughline::agent_bridge {

/// Made before the attach is asked for; lives until nothing of it is left to do.
class attachment {
 public:
  /// A superseded socket is closed at the latest then, its frames handed over or not: the seal counts for 2 s only.
  static constexpr std::chrono::seconds supersede_grace{3};

  attachment(attachment_identity who, outbox_limits limits, std::uint64_t chance_seed);

  attachment_effects apply(attachment_input what, moment now);

  /// The shell reads the socket only while this holds: there is room, and what it says still counts.
  bool wants_frames() const { return !reading_is_over() && !outbox_.full(); }
  bool reading_is_over() const { return phase_ != phase::live && phase_ != phase::leaving; }
  /// Whether its owner is to be told again and again that it is there (`renewals`).
  bool wants_renewal() const { return attached_ && !reading_is_over() && !attach_again_; }
  /// Nobody has told the agent to go, and its socket has not ended.
  bool stays() const { return phase_ == phase::live; }
  bool is_finished() const { return phase_ == phase::finished; }
  std::optional<moment> next_wake() const;
  const attachment_identity& identity() const { return who_; }
  const class outbox& kept() const { return outbox_; }
  std::uint64_t frames_merged() const { return merged_; }

 private:
  /// `leaving`: the agent was told to go and is heard until it does; `draining`: no more is read.
  enum class phase { live, leaving, draining, finished };
  enum class ending { superseded, going_away, ordered, misbehaved, socket_gone };
  enum class life_question { attach, end };
  struct lane_state {
    bool under_way = false;
    unsigned failures = 0;    ///< in a row
    unsigned unanswered = 0;  ///< in a row
    moment not_before{};
  };

  void on(const input::attach_committed& in, moment now);
  void on(input::frame_read& in, moment now);
  void on(const input::frame_ignored& in, moment now);
  void on(const input::bad_frame& in, moment now);
  void on(const input::answered& in, moment now);
  void on(const input::unanswered& in, moment now);
  void on(const input::not_renewed& in, moment now);
  void on(const input::ordered& in, moment now);
  void on(const input::command_settled& in, moment now);
  void on(const input::ack_settled& in, moment now);
  void on(const input::socket_ended& in, moment now);
  void on(const input::drain& in, moment now);
  void on(const input::drain_over& in, moment now);
  void on(const input::wire_restored& in, moment now);
  void on(const input::tick&, moment) {}

  void on_order(ticket asked, const write_command& order, moment now);
  void on_order(ticket asked, const supersede& order, moment now);
  void on_order(ticket asked, const close_attachment& order, moment now);
  void on_hand_over_reply(const hand_over_result& result, moment now);
  void on_life_reply(const reply& what, moment now);
  void unknown_to_owner(moment now);

  bool is_new(std::optional<std::uint64_t> agent_seq, moment now);
  void complain(std::string message, moment now);
  void lost_again(std::uint64_t committed);
  void acknowledge_agent(moment now);

  void begin_ending(ending why, moment now);
  void go_on(moment now);
  void ask_life();
  void ask_frames();
  void close(std::uint16_t code, std::string reason, bool hear_out = false);
  void finish(std::string_view why);
  lane_state& state_of(lane which) { return which == lane::frames ? frames_lane_ : life_lane_; }
  void defer(lane_state& which, millis delay, moment now);
  void succeeded(lane_state& which, moment now);

  attachment_identity who_;
  outbox outbox_;
  command_ledger ledger_;
  bad_frame_meter bad_frames_;
  std::optional<agent_numbers> numbers_;  ///< of a v2 agent
  ack_pacer acks_;
  id_source chance_;
  phase phase_ = phase::live;
  ending ending_ = ending::socket_gone;
  lane_state frames_lane_;
  lane_state life_lane_;
  life_question asked_ = life_question::end;  ///< while the life lane is under way
  std::uint32_t attempt_ = 1;                 ///< of the frames after the acknowledged ones
  bool attached_ = false;                     ///< the first attach is committed
  bool attach_again_ = false;
  bool socket_open_ = true;
  std::optional<moment> close_by_;  ///< of a superseded socket
  std::uint64_t merged_ = 0;
  attachment_effects effects_;
};

}  // namespace throughline::agent_bridge
