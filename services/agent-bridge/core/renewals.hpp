#pragma once
// What the bridge tells the owners of shards of the attachments that it holds: every 5 s, one message per shard with
// all of them (design 6.2), asked again until it is answered, each attachment by itself where the answer sets it apart.
// Pure.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/ulid.hpp"
#include "common/model/reply.hpp"
#include "common/model/request.hpp"
#include "services/agent-bridge/core/retry.hpp"

namespace throughline::agent_bridge {

class renewals {
 public:
  using moment = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds every{5};

  /// `at_most`: attachments in one message; more go in further ones, one after the other.
  renewals(std::size_t at_most, std::uint64_t chance_seed) : at_most_(at_most), chance_(chance_seed) {}

  /// From now on it is renewed; a session without a shard is none that an owner knows. Shards begin at different
  /// moments of the 5 s, so that they do not all go at once.
  void hold(const session_id& session, const attachment_id& attachment, moment now);
  void release(const session_id& session, const attachment_id& attachment);

  struct attempt {
    shard_number shard = 0;
    renew what;
    millis patience{0};
  };
  /// What is to be asked now. Of each shard one attempt at a time: then `answered` or `unanswered`.
  std::vector<attempt> due(moment now);
  /// Those that are to be told something: `unknown` or `superseded`.
  std::vector<not_renewed> answered(shard_number shard, const reply& what, moment now);
  void unanswered(shard_number shard, send_failure why, moment now);
  void wire_restored(moment now);  ///< no more waiting

  std::optional<moment> next_wake() const;
  std::size_t held() const;

 private:
  enum class step { renewed, owed, asked };
  struct attachment_state {
    session_id session;
    step is = step::renewed;
  };
  struct shard_state {
    std::map<attachment_id, attachment_state> held;
    std::deque<attachment_id> owed;  ///< in the order in which they are asked; some may be gone
    std::vector<attachment_id> asked;
    bool under_way = false;
    unsigned failures = 0;    ///< in a row
    unsigned unanswered = 0;  ///< in a row
    moment due{};
    moment not_before{};
    std::vector<attachment_id> later;  ///< owed, but deferred one by one: they keep back no other
    unsigned deferrals = 0;            ///< in a row
    moment later_at{};
  };
  void begin_round(shard_state& of, moment now);
  renew take(shard_state& from) const;
  static void owe_later(shard_state& of);
  void failed(shard_state& of, millis pause, moment now);

  const std::size_t at_most_;
  id_source chance_;
  std::map<shard_number, shard_state> shards_;
};

}  // namespace throughline::agent_bridge
