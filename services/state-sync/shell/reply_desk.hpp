#pragma once
// Who waits for the reply to which input. The core names a waiter by a token; this maps it to the NATS message to
// answer. Bounded; a waiter whose budget is long over is forgotten. Any thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <unordered_map>

#include "common/io/nats/nats_link.hpp"
#include "common/model/reply.hpp"
#include "services/state-sync/core/input.hpp"

namespace throughline::state_sync {

class reply_desk {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  explicit reply_desk(io::nats_link& link) : link_(link) {}

  /// 0 when too many wait: answer busy.
  [[nodiscard]] reply_token wait(io::message from, time_point until);
  /// Answers and forgets. Nothing happens for 0 and for one who waits no more.
  void answer(reply_token to, const reply& what, std::uint64_t epoch);
  /// Answers a message that never became an input.
  void answer(const io::message& to, const reply& what, std::uint64_t epoch);

 private:
  static constexpr std::size_t waiters_max = 65'536;
  struct waiter {
    io::message from;
    std::multimap<time_point, reply_token>::iterator until;
  };
  void forget_late(time_point now);

  io::nats_link& link_;
  std::mutex guard_;
  reply_token last_ = 0;
  std::unordered_map<reply_token, waiter> waiters_;
  std::multimap<time_point, reply_token> by_time_;
};

}  // namespace throughline::state_sync
