#pragma once
// What state-sync answers over NATS. A body is rendered once by state-sync and passed on unread (design 3.8).

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/instant.hpp"
#include "common/base/position.hpp"
#include "common/model/session.hpp"

namespace throughline {

/// The owner cannot say now: senders repeat under the same id. `not_owner` is ignored by senders (design 3.5).
enum class deferral { busy, not_owner };
struct deferred {
  deferral why = deferral::busy;
  std::uint32_t after_ms = 0;
};

/// The answer to a caller's request, as HTTP gives it: 2xx with the body, else an error body.
struct answer {
  int status = 200;
  std::string body;  ///< JSON text
};

struct attached {
  session_id root;
  std::uint64_t number = 0;     ///< attachments of a root are numbered; the newest wins
  std::uint64_t agent_seq = 0;  ///< the last committed number of the instance that attached; 0: none
};
struct attach_refused {
  int status = 404;  ///< 401, 404, 409
  std::string code;
  std::uint32_t retry_after_s = 0;
};

/// What became of a hand-over, and where the bridge goes on.
enum class hand_over_status {
  applied,     ///< everything up to `number` is committed
  expected,    ///< a hole: go back to `number`
  need_full,   ///< the base of `number` is not there: send it in full
  superseded,  ///< a newer attachment has been made and this one is sealed: stop
  unknown,     ///< no such attachment: attach again under the same id
  refused      ///< `number` alone cannot be applied (code says why); it is consumed
};
struct hand_over_result {
  hand_over_status status = hand_over_status::applied;
  std::uint64_t number = 0;
  std::string code;
};
/// For detach, seal, command outcomes, and each attachment of a `renew`. `known` false: the database has no such
/// attachment.
struct noted {
  bool known = true;
  bool superseded = false;
};

/// Why an attachment of a `renew` is not simply renewed.
enum class renewal_fault {
  unknown,     ///< no such attachment: attach again under the same id
  superseded,  ///< a newer attachment has been made
  deferred     ///< not decided yet: ask again
};
struct not_renewed {
  attachment_id attachment;
  renewal_fault why = renewal_fault::deferred;
};
/// For a `renew`: all its attachments are renewed, but for these.
struct renewed {
  std::vector<not_renewed> except;
};

using reply = std::variant<deferred, answer, attached, attach_refused, hand_over_result, noted, renewed>;

/// Where an interaction stands in its session's log.
struct turn_place {
  std::uint64_t began = 0;  ///< seq of the event with which it began; 0: it has not, or never will
  position ended;           ///< of its terminal event, or of the one that showed it gone from the queue; zero: open
  bool queued = false;
};

/// The answer to a read about one session. `found` false: no such session (or deleted, or malformed): one answer.
struct session_reading {
  bool found = false;
  position head;
  access_list access;
  /// read_snapshot: the session_update frame; read_session: Session JSON; read_interaction(s): the JSON of 5.3;
  /// read_events: one event per line.
  std::string body;
  std::string baseline;        ///< read_snapshot: the v1 baseline patch frame; empty when there is none
  bool known_position = true;  ///< read_events: the position asked for can be resumed
  bool complete = true;        ///< read_events: nothing is left up to `head`; read_interactions: as in list_reading
  bool inner_found = true;     ///< read_interaction: the interaction exists
  std::optional<turn_place> inner;  ///< read_interaction: absent when it was never heard of
};
struct head_reading {
  session_id session;
  bool found = false;
  position head;
  access_list access;
  session_id root{};  ///< of the session's tree; the session itself when it is no child
};
struct activity_reading {
  bool found = false;
  bool attached = false;      ///< the tree has an attachment at this moment
  std::optional<millis> age;  ///< of the newest event of the tree that is no change of its agent's status
};
struct list_reading {
  std::string body;      ///< JSON of 5.3
  bool complete = true;  ///< list_sessions: the page is not too much for one answer
};
struct owner_reading {  ///< find_agent_token: `owner` is a session id; find_key: a user id
  bool found = false;
  std::string owner;
};

using reading =
    std::variant<deferred, session_reading, std::vector<head_reading>, activity_reading, list_reading, owner_reading>;

}  // namespace throughline
