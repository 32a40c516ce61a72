#pragma once
// One life of an agent socket as the bridge sees it: frames in, numbered hand-overs out until they are committed,
// commands written once, renewals, and an orderly end (design 3.9, 3.10, 5.5, 6.2, 6.3). Pure: inputs and time in,
// effects out, which the shell carries out in order.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/ulid.hpp"
#include "common/model/bridge_order.hpp"
#include "common/model/reply.hpp"
#include "common/model/request.hpp"
#include "services/agent-bridge/core/bad_frame_meter.hpp"
#include "services/agent-bridge/core/command_ledger.hpp"
#include "services/agent-bridge/core/outbox.hpp"
#include "services/agent-bridge/core/retry.hpp"

namespace throughline::agent_bridge {

using moment = std::chrono::steady_clock::time_point;

/// Hand-overs, and everything else an attachment asks of its owner: at most one of each is under way.
enum class lane { frames, life };

namespace input {
struct frame_read {
  agent_event event;
};
struct bad_frame {
  std::string message;  ///< what is wrong with it, for the agent
};
struct answered {
  lane which = lane::frames;
  reply what;
};
struct unanswered {
  lane which = lane::frames;
  send_failure why = send_failure::timeout;
};
struct ordered {
  ticket asked = 0;
  bridge_order what;
};
struct command_settled {
  command_id command;
  bool written = false;
};
struct socket_ended {};   ///< whoever ended it
struct drain {};          ///< this process goes away
struct drain_over {};     ///< and waits no longer: the socket closes with what is not handed over
struct wire_restored {};  ///< NATS is there again: no more waiting
struct tick {};           ///< `next_wake` has come
}  // namespace input

using attachment_input = std::variant<input::frame_read, input::bad_frame, input::answered, input::unanswered,
                                      input::ordered, input::command_settled, input::socket_ended, input::drain,
                                      input::drain_over, input::wire_restored, input::tick>;

namespace effect {
struct ask_owner {  ///< answer with `answered` or `unanswered` of this lane
  lane which = lane::frames;
  session_request request;
};
struct write_command {  ///< then `command_settled`
  command_id command;
  agent_command body;
};
struct answer_order {
  ticket asked = 0;
  order_outcome outcome = order_outcome::written;
};
struct complain {  ///< an error frame to the agent
  std::string code;
  std::string message;
};
struct close_socket {
  std::uint16_t code = 1000;
  std::string reason;
};
struct frame_refused {  ///< the owner consumed a frame without applying it
  std::uint64_t number = 0;
  std::string code;
};
struct finished {  ///< nothing is left to do; the last effect of an attachment
  std::string_view why;
  std::size_t frames_lost = 0;  ///< not committed, and nobody takes them
};
}  // namespace effect

using attachment_effect = std::variant<effect::ask_owner, effect::write_command, effect::answer_order, effect::complain,
                                       effect::close_socket, effect::frame_refused, effect::finished>;
using attachment_effects = std::vector<attachment_effect>;

struct attachment_identity {
  session_id session;
  attachment_id attachment;
  bridge_id bridge;
  std::string token_hash;
};

/// Made when the attach is committed.
class attachment {
 public:
  static constexpr std::chrono::seconds renew_every{5};
  /// A superseded socket is closed at the latest then, its frames handed over or not: the seal counts for 2 s only.
  static constexpr std::chrono::seconds supersede_grace{3};

  attachment(attachment_identity who, outbox_limits limits, std::uint64_t chance_seed, moment now);

  attachment_effects apply(attachment_input what, moment now);

  /// The shell reads the socket only while this holds: there is room, and what it says still counts.
  bool wants_frames() const { return phase_ == phase::live && !outbox_.full(); }
  bool reading_is_over() const { return phase_ != phase::live; }
  bool is_finished() const { return phase_ == phase::finished; }
  std::optional<moment> next_wake() const;
  const attachment_identity& identity() const { return who_; }
  const class outbox& kept() const { return outbox_; }
  std::uint64_t frames_merged() const { return merged_; }

 private:
  enum class phase { live, draining, finished };
  enum class ending { superseded, going_away, ordered, misbehaved, socket_gone };
  enum class life_question { renewal, attach, end };
  struct lane_state {
    bool under_way = false;
    unsigned failures = 0;
    moment not_before{};
  };

  void on(input::frame_read& in, moment now);
  void on(const input::bad_frame& in, moment now);
  void on(const input::answered& in, moment now);
  void on(const input::unanswered& in, moment now);
  void on(const input::ordered& in, moment now);
  void on(const input::command_settled& in, moment now);
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

  void begin_ending(ending why, moment now);
  void go_on(moment now);
  void ask_life(moment now);
  void ask_frames();
  void close(std::uint16_t code, std::string reason);
  void finish(std::string_view why);
  lane_state& state_of(lane which) { return which == lane::frames ? frames_lane_ : life_lane_; }
  void defer(lane_state& which, millis delay, moment now);
  void succeeded(lane_state& which, moment now);

  attachment_identity who_;
  outbox outbox_;
  command_ledger ledger_;
  bad_frame_meter bad_frames_;
  id_source chance_;
  phase phase_ = phase::live;
  ending ending_ = ending::socket_gone;
  lane_state frames_lane_;
  lane_state life_lane_;
  life_question asked_ = life_question::renewal;  ///< while the life lane is under way
  std::uint32_t attempt_ = 1;                     ///< of the frames after the acknowledged ones
  bool attach_again_ = false;
  bool socket_open_ = true;
  moment renew_at_;
  std::optional<moment> close_by_;  ///< of a superseded socket
  std::uint64_t merged_ = 0;
  attachment_effects effects_;
};

}  // namespace throughline::agent_bridge
