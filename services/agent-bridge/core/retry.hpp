#pragma once
// When to say it again, under the same id or number (design 3.5). Pure.

#include <algorithm>
#include <cstdint>

#include "common/base/instant.hpp"

namespace throughline::agent_bridge {

/// Why a request has no usable answer.
enum class send_failure {
  no_responders,    ///< nobody serves the shard now: nothing happened
  disconnected,     ///< the link to NATS is down: nothing was sent
  timeout,          ///< no answer in time: it may have happened
  connection_lost,  ///< the link broke while waiting: it may have happened
  unusable          ///< the answer cannot be read, is of an older epoch, or does not fit the question
};

/// True when an owner may have seen the request.
inline bool may_have_happened(send_failure why) {
  return why == send_failure::timeout || why == send_failure::connection_lost;
}

/// How long one attempt is waited for; `unanswered`: those in a row that were not answered in time. What an owner had
/// been asked when it died is asked again after the first. No more than this, so that the successor of a frozen one is
/// found within the 7 s of design 7.
inline millis attempt_time(unsigned unanswered) {
  return millis(unanswered == 0 ? 1000 : 1500);
}

/// Delay before the next try: 50 ms doubling to 1 s, of which a random half is left out, so that many senders do not
/// come back at once. `failures` counts those in a row, this one included.
inline millis retry_delay(unsigned failures, std::uint64_t chance) {
  const auto longest = std::min<std::uint64_t>(1000, 50ull << std::min(failures > 0 ? failures - 1 : 0, 10u));
  return millis(longest / 2 + chance % (longest / 2 + 1));
}

/// After a failure. One that has cost its whole timeout already is repeated soon. Where nobody serves the shard a
/// successor is on its way: 400 ms at most, for about as long as that takes (7 s, design 7).
inline millis retry_delay(send_failure why, unsigned failures, std::uint64_t chance) {
  constexpr unsigned successor_comes_within = 25;
  if (why == send_failure::timeout) return millis(chance % 50);
  const bool soon = why == send_failure::no_responders && failures <= successor_comes_within;
  return retry_delay(soon ? std::min(failures, 4u) : failures, chance);
}

}  // namespace throughline::agent_bridge
