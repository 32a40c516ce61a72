#pragma once
// What state-sync asks of the agent-bridge that holds an attachment, as a NATS request to that bridge
// (design 6.2, 6.3).

#include <string>
#include <variant>

#include "common/base/id.hpp"
#include "common/model/agent_event.hpp"

namespace throughline {

/// Write one command to the socket. A command id is written at most once per attachment; the answer to a repeat is the
/// answer to the first.
struct write_command {
  attachment_id attachment;
  command_id command;
  agent_command body;
};
/// A newer attachment has been made: stop reading, hand over what was read, answer with request::seal, close 4001.
struct supersede {
  attachment_id attachment;
};
/// Close the socket with this code: 4404 the session was deleted, 1008 the token was revoked.
struct close_attachment {
  attachment_id attachment;
  int code = 1008;
  std::string reason;
};

using bridge_order = std::variant<write_command, supersede, close_attachment>;

enum class order_outcome {
  written,      ///< the bytes were given to the socket; for the other orders: done
  not_written,  ///< the socket is gone, nothing was written
  unknown       ///< this bridge has no such attachment
};

}  // namespace throughline
