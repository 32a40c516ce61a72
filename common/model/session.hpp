#pragma once
// A session as viewers see it (design 5.3, Session JSON), and who may see it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/instant.hpp"
#include "common/base/position.hpp"

namespace throughline {

enum class agent_status { offline, online, ready };

struct agent_view {
  agent_status status = agent_status::offline;
  std::string name;  ///< last agent_name other than `zed-connection`
  instant since;     ///< when `status` changed
  std::optional<instant> last_event_at;
};

struct queued_prompt {
  prompt_id id;
  interaction_id interaction;  ///< what the turn will be called
  std::string content;
  bool interrupt = false;
  instant created;
};

struct session {
  session_id id;
  std::optional<session_id> parent;
  user_id owner;
  std::string name;
  instant created;
  instant updated;  ///< last activity; moves at turn boundaries
  position head;
  agent_view agent;
  std::optional<thread_id> zed_thread;
  std::string zed_agent_name;  ///< the agent asked for at creation; may be empty
  std::optional<interaction_id> waiting_interaction;
  std::optional<request_id> last_request;
  std::optional<instant> request_started_at;
  std::string metadata = "{}";  ///< the caller's JSON object, as text
  std::vector<queued_prompt> queue;
  std::uint64_t interactions_total = 0;
};

enum class role { viewer, editor };
enum class right { none, watch, steer, own };  ///< what one may do with a session, each including those before it

struct grant {
  user_id user;
  role what = role::viewer;
};

/// Of the root of a session's tree; children have their root's (design 5.2).
struct access_list {
  user_id owner;
  std::vector<grant> grants;
  std::uint64_t version = 0;
};

inline right right_of(const access_list& access, const user_id& user) {
  if (user == access.owner) return right::own;
  for (const auto& g : access.grants) {
    if (g.user == user) return g.what == role::editor ? right::steer : right::watch;
  }
  return right::none;
}

}  // namespace throughline
