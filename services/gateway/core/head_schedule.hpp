#pragma once
// When to compare which watched sessions with the database (design 3.7): every 5 s, jittered, one batch per shard; 1 s
// after a session was newly subscribed; all at once after the wire was seen to fail. One thread.

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/instant.hpp"
#include "common/base/ulid.hpp"

namespace throughline::gateway {

class head_schedule {
 public:
  static constexpr millis interval{5'000};
  static constexpr millis jitter{1'000};  ///< taken off the interval, at random
  static constexpr millis after_subscription{1'000};
  static constexpr std::size_t batch_max = 512;

  explicit head_schedule(std::uint64_t seed) : chance_(seed) {}

  void add(const session_id& session, millis now);
  void remove(const session_id& session);
  /// A reconnect, or messages dropped: everything may have been missed.
  void check_all(millis now);
  void check_now(const session_id& session, millis now);

  /// The batches due, each of one shard and at most `batch_max` sessions.
  std::vector<std::vector<session_id>> due(millis now);

 private:
  struct shard {
    std::set<session_id> sessions;
    millis next{0};
  };

  std::map<shard_number, shard> shards_;
  std::map<session_id, millis> early_;
  id_source chance_;
};

}  // namespace throughline::gateway
