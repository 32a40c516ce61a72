#pragma once
// What an agent says (P-A7), typed. Content travels as a delta against what the bridge forwarded last (design 3.9).

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "common/base/id.hpp"
#include "common/model/entry.hpp"
#include "common/model/interaction.hpp"

namespace throughline {

/// Keep the first `keep` bytes of the base, add `text`. Without a base, `text` is the whole content and `keep` is 0.
struct text_delta {
  struct base_name {
    std::uint64_t length = 0;  ///< bytes
    std::uint64_t hash = 0;    ///< delta::hash_of the base's bytes
    bool operator==(const base_name&) const = default;
  };
  std::optional<base_name> base;
  std::uint64_t keep = 0;
  std::string text;
  bool operator==(const text_delta&) const = default;
};

namespace agent {

struct ping {};
struct agent_ready {
  std::string agent_name;
  std::optional<thread_id> thread;
};
struct thread_created {
  thread_id thread;
  request_id request;
  std::optional<std::string> title;
};
struct user_created_thread {
  thread_id thread;
  std::optional<std::string> title;
};
struct thread_title_changed {
  thread_id thread;
  std::string title;
};
enum class author { user, assistant };
struct message_added {
  thread_id thread;
  message_id message;
  author role = author::assistant;
  std::optional<entry_type> type;  ///< absent: `**Tool Call:` starts a tool call, anything else is text (P-A9.1)
  text_delta content;              ///< the whole content so far, never an increment (P-A7.6)
  request_id request;              ///< may be empty
  std::string tool_name;
  std::string tool_status;
};
struct message_completed {
  thread_id thread;
  request_id request;  ///< may be empty
  std::string agent_name;
  std::optional<token_usage> usage;
};
struct thread_load_error {
  thread_id thread;
  request_id request;
  std::string error;
};
struct chat_response_error {
  request_id request;
  std::string error;
};
struct turn_cancelled {
  request_id request;
  bool cancelled = false;  ///< status `cancelled`; otherwise `noop`
};

}  // namespace agent

using agent_event = std::variant<agent::ping, agent::agent_ready, agent::thread_created, agent::user_created_thread,
                                 agent::thread_title_changed, agent::message_added, agent::message_completed,
                                 agent::thread_load_error, agent::chat_response_error, agent::turn_cancelled>;

namespace agent {

/// What is written to an agent's socket (P-A11, design 5.5).
struct chat_message {
  std::string message;
  request_id request;
  interaction_id interaction;
  std::optional<thread_id> thread;
  std::string agent_name;
  session_id session;
  bool interrupt = false;
  bool redelivered = false;  ///< v2: sent a second time, an agent that has it already drops it (design 6.3)
};
struct open_thread {
  thread_id thread;
  request_id request;
  std::string agent_name;
  session_id session;
};
struct cancel_current_turn {
  request_id request;
  session_id session;
};

}  // namespace agent

using agent_command = std::variant<agent::chat_message, agent::open_thread, agent::cancel_current_turn>;

}  // namespace throughline
