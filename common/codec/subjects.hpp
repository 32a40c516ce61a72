#pragma once
// NATS subjects. The only place that builds or parses them. Ids put into a subject must be well-formed (no dots, blanks
// or wildcards): builders return an empty string for one that is not.

#include <optional>
#include <string>
#include <string_view>

#include "common/base/id.hpp"
#include "common/base/ulid.hpp"
#include "common/model/request.hpp"

namespace throughline::codec {

/// Queue subject and group of the reads that any state-sync answers.
inline constexpr std::string_view read_subject = "tl1.read";
inline constexpr std::string_view read_group = "readers";
/// Queue subject and group of the requests about API keys: any state-sync decides them.
inline constexpr std::string_view keys_subject = "tl1.keys";
inline constexpr std::string_view keys_group = "keys";
/// Broadcast: an API key was revoked; the body is the key's hash.
inline constexpr std::string_view auth_subject = "tl1.auth";
/// Broadcast: the highest epoch that the sender has seen, as a decimal number.
inline constexpr std::string_view epoch_subject = "tl1.epoch";

std::string shard_subject(shard_number shard);         ///< tl1.in.<0..255>: plain subscription of the shard's owner
std::string shard_subject(const session_id& session);  ///< of the shard the session is in
std::string event_subject(const session_id& session);  ///< tl1.ev.<session id>
std::string bridge_subject(const bridge_id& bridge);   ///< tl1.bridge.<bridge id>

/// Where a request goes: the shard's subject of its session. For find/list reads, which have no shard: `read_subject`.
std::string subject_of(const session_request& request);
std::string subject_of(const renew& request);
std::string retry_subject_of(const read_request& request);

std::optional<shard_number> parse_shard_subject(std::string_view subject);
std::optional<session_id> parse_event_subject(std::string_view subject);
std::optional<bridge_id> parse_bridge_subject(std::string_view subject);

}  // namespace throughline::codec
