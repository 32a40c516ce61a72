#pragma once
// Messages between services: requests to state-sync, its replies, orders to an agent-bridge. The first line is a JSON
// envelope; a body, where there is one, follows a '\n' as raw bytes and is never parsed here. Decoders take the sender
// to be fallible: every field is checked, counts are bounded; error `bad_message` names the field.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/instant.hpp"
#include "common/base/result.hpp"
#include "common/model/bridge_order.hpp"
#include "common/model/reply.hpp"
#include "common/model/request.hpp"

namespace throughline::codec {

inline constexpr std::size_t hand_over_frames_max = 4096;
inline constexpr std::size_t head_check_sessions_max = 65536;
/// What one transaction of an owner takes (design 3.6); and one message, unsplit, also where `max_payload` is 64 KiB.
inline constexpr std::size_t renew_attachments_max = 512;

/// What arrives on tl1.in.<shard> or tl1.read. `budget`: how long the sender goes on waiting.
struct request_message {
  std::variant<session_request, read_request, renew> what;
  millis budget{0};
};
/// A `renewal` is written as a `renew` of its own; `decode_request` never gives it alone.
std::string encode(const session_request& request, millis budget);
std::string encode(const read_request& request, millis budget);
std::string encode(const renew& request, millis budget);
result<request_message> decode_request(std::string_view message);

/// Every reply carries the answering process's epoch; receivers ignore lower ones than they have seen (design 3.4).
/// 0: it does not know (its database is away); such a reply is a deferral and is not compared.
struct reply_message {
  std::uint64_t epoch = 0;
  reply what;
};
std::string encode(const reply& what, std::uint64_t epoch);
result<reply_message> decode_reply(std::string_view message);

struct reading_message {
  std::uint64_t epoch = 0;
  reading what;
};
std::string encode(const reading& what, std::uint64_t epoch);
result<reading_message> decode_reading(std::string_view message);

/// What arrives on tl1.bridge.<id>, and its answer.
struct order_message {
  std::uint64_t epoch = 0;
  bridge_order what;
};
std::string encode(const bridge_order& order, std::uint64_t epoch);
result<order_message> decode_order(std::string_view message);
std::string encode(order_outcome outcome);
result<order_outcome> decode_outcome(std::string_view message);

/// Hash (hex) of the operation and its fields but the caller's id, for `caller::fingerprint` (design 5.3). For a
/// create_session the session id made for it is not part; for a mint neither is the token's hash.
std::string fingerprint_of(const session_request& request);

}  // namespace throughline::codec
