#pragma once
// What an attachment is told and what it wants done, as values (attachment.hpp).

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/position.hpp"
#include "common/model/bridge_order.hpp"
#include "common/model/reply.hpp"
#include "common/model/request.hpp"
#include "services/agent-bridge/core/command_ledger.hpp"
#include "services/agent-bridge/core/retry.hpp"

namespace throughline::agent_bridge {

using moment = std::chrono::steady_clock::time_point;

/// Hand-overs, and everything else an attachment asks of its owner: at most one of each is under way.
enum class lane { frames, life };

namespace input {
/// The attach is committed, and with it this much of the instance's frames. Before any frame is read.
struct attach_committed {
  std::uint64_t epoch = 0;
  std::uint64_t agent_seq = 0;
};
/// `agent_seq`, here and below: a v2 agent's own number, where the frame has a usable one.
struct frame_read {
  agent_event event;
  std::optional<std::uint64_t> agent_seq = std::nullopt;
};
struct frame_ignored {  ///< of an unknown type
  std::optional<std::uint64_t> agent_seq = std::nullopt;
};
struct bad_frame {
  std::string message;  ///< what is wrong with it, for the agent
  std::optional<std::uint64_t> agent_seq = std::nullopt;
};
struct answered {
  lane which = lane::frames;
  reply what;
};
struct unanswered {
  lane which = lane::frames;
  send_failure why = send_failure::timeout;
};
struct not_renewed {  ///< what an owner said of it among the renewals of its shard; while `wants_renewal`
  renewal_fault why = renewal_fault::unknown;
};
struct ordered {
  ticket asked = 0;
  bridge_order what;
};
struct command_settled {
  command_id command;
  bool written = false;
};
struct ack_settled {
  bool written = false;
};
struct socket_ended {};   ///< whoever ended it
struct drain {};          ///< this process goes away
struct drain_over {};     ///< and waits no longer for what the agent may still say
struct wire_restored {};  ///< NATS is there again: no more waiting
struct tick {};           ///< `next_wake` has come
}  // namespace input

using attachment_input =
    std::variant<input::attach_committed, input::frame_read, input::frame_ignored, input::bad_frame, input::answered,
                 input::unanswered, input::not_renewed, input::ordered, input::command_settled, input::ack_settled,
                 input::socket_ended, input::drain, input::drain_over, input::wire_restored, input::tick>;

namespace effect {
struct ask_owner {  ///< answer with `answered` or `unanswered` of this lane
  lane which = lane::frames;
  session_request request;
  millis patience{0};
};
struct resume {  ///< v2: the first frame of the socket
  position last;
};
struct write_command {  ///< then `command_settled`
  command_id command;
  agent_command body;
};
struct acknowledge {  ///< v2: everything up to `agent_seq` is committed; then `ack_settled`
  std::uint64_t agent_seq = 0;
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
  bool hear_out = false;  ///< what the agent says before its own close frame is still read
};
struct frame_refused {  ///< the owner consumed a frame without applying it
  std::uint64_t number = 0;
  std::string code;
};
struct frames_skipped {  ///< v2: numbers that nobody will ever send: lost
  std::uint64_t count = 0;
};
struct frame_repeated {};  ///< v2: it was said before, and is dropped
struct finished {          ///< nothing is left to do; the last effect of an attachment
  std::string_view why;
  std::size_t frames_lost = 0;  ///< not committed, and nobody takes them
};
}  // namespace effect

using attachment_effect =
    std::variant<effect::ask_owner, effect::resume, effect::write_command, effect::acknowledge, effect::answer_order,
                 effect::complain, effect::close_socket, effect::frame_refused, effect::frames_skipped,
                 effect::frame_repeated, effect::finished>;
using attachment_effects = std::vector<attachment_effect>;

struct attachment_identity {
  session_id session;
  attachment_id attachment;
  bridge_id bridge;
  std::string token_hash;
  std::optional<std::string> instance = std::nullopt;  ///< of a v2 agent: one life of its process
};

}  // namespace throughline::agent_bridge
