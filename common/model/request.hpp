#pragma once
// What gateway and agent-bridge ask of state-sync over NATS, as values. `session_request`s change something and go to
// the owner of the session's shard; `read_request`s change nothing and any replica answers (design 3.5, 3.7).

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/instant.hpp"
#include "common/base/position.hpp"
#include "common/model/agent_event.hpp"
#include "common/model/session.hpp"

namespace throughline {

/// Who asks, and under which id (design 5.3). `fingerprint` is a hash of the operation and its fields but the id: the
/// same id with another fingerprint is `id_reused`.
struct caller {
  user_id user;
  std::string id;  ///< never empty: the gateway makes one where the client gave none
  std::string fingerprint;
};

struct create_session {
  caller by;
  session_id session;  ///< made by the gateway; its last two characters come from hash(user, id)
  std::string name;
  std::string agent_name;
  std::string metadata;  ///< a JSON object as text, at most 16 KiB
};
struct rename_session {
  caller by;
  session_id session;
  std::string name;
};
struct delete_session {
  caller by;
  session_id session;
};
struct post_prompt {
  caller by;  ///< by.id is the prompt id
  session_id session;
  std::string content;
  bool interrupt = false;
};
struct cancel_turn {
  caller by;
  session_id session;
  std::optional<interaction_id> interaction;  ///< absent: the turn that runs
};
struct put_grant {
  caller by;
  session_id session;
  user_id grantee;
  role what = role::viewer;
};
struct delete_grant {
  caller by;
  session_id session;
  user_id grantee;
};
struct mint_agent_token {
  caller by;
  session_id session;
  std::string token_hash;     ///< SHA-256 of the token, hex; the token itself never leaves the gateway
  std::optional<millis> ttl;  ///< absent: until revoked
};
struct revoke_agent_tokens {
  caller by;
  session_id session;
};

/// A socket of an agent, before its upgrade is answered. A repeat under the same attachment is the same attachment.
struct attach {
  session_id session;
  attachment_id attachment;
  bridge_id bridge;
  std::string token_hash;
  std::optional<std::string> instance;  ///< of a v2 agent: one life of its process
};
/// The socket is gone. `last_number` is the highest number the bridge will ever hand over for this attachment.
struct detach {
  session_id session;
  attachment_id attachment;
  std::uint64_t last_number = 0;
};
/// A superseded attachment's bridge has stopped reading and handed over up to `last_number` (design 6.2).
struct seal {
  session_id session;
  attachment_id attachment;
  std::uint64_t last_number = 0;
};
/// The bridge still holds the attachment's socket (design 6.2). One of a `renew`; it has no message of its own.
struct renewal {
  session_id session;
  attachment_id attachment;
};
/// A frame under its number. An empty one keeps the place of a frame whose content a later full content carries (3.9),
/// or carries the number of an agent's frame that has no effect.
struct numbered_frame {
  std::uint64_t number = 0;
  std::optional<agent_event> event;
  std::uint64_t agent_seq = 0;  ///< a v2 agent's own number of the newest frame that this one stands for; 0: none
};
struct hand_over {
  session_id session;
  attachment_id attachment;
  bridge_id bridge;
  std::uint64_t acknowledged =
      0;  ///< highest number acknowledged so far; an owner with a lower cursor adopts it (3.10)
  std::uint32_t attempt = 1;
  std::vector<numbered_frame> frames;  ///< consecutive numbers
};
/// What became of a command at its bridge (design 6.3).
struct command_outcome {
  session_id session;
  attachment_id attachment;
  command_id command;
  bool written = false;
};

using session_request =
    std::variant<create_session, rename_session, delete_session, post_prompt, cancel_turn, put_grant, delete_grant,
                 mint_agent_token, revoke_agent_tokens, attach, detach, seal, renewal, hand_over, command_outcome>;

/// What a bridge says every 5 s of the attachments that it holds in one shard (design 6.2). The owner decides them
/// session by session.
struct renew {
  std::vector<renewal> attachments;  ///< at least one, all of one shard
};

struct read_session {  ///< Session JSON; with interactions as in 5.4 unless skipped
  session_id session;
  bool skip_interactions = false;
};
struct read_snapshot {  ///< the first frames of a user socket: a full session_update, and the baseline patch of v1
  session_id session;
};
struct read_events {  ///< committed events after a position, as viewers receive them
  session_id session;
  std::optional<position> since;  ///< absent: from the start
  std::uint64_t limit = 1000;
  std::uint64_t bytes_max = 1 << 20;
};
struct read_interactions {
  session_id session;
  std::uint64_t page = 0;
  std::uint64_t per_page = 100;
  bool newest_first = false;
};
struct read_interaction {
  session_id session;
  interaction_id interaction;
};
struct read_activity {  ///< when a session's tree last heard of its agent or of people (design 5.3.1)
  session_id session;
};
struct list_sessions {
  user_id user;
  std::uint64_t page = 0;
  std::uint64_t per_page = 50;
};
struct list_agents {
  user_id user;
};
struct read_heads {  ///< the head check (3.7), one per shard with all watched sessions
  std::vector<session_id> sessions;
};
struct find_agent_token {  ///< which session a token is for
  std::string token_hash;
};
struct find_key {  ///< whose an API key is
  std::string key_hash;
};

using read_request = std::variant<read_session, read_snapshot, read_events, read_interactions, read_interaction,
                                  read_activity, list_sessions, list_agents, read_heads, find_agent_token, find_key>;

}  // namespace throughline
