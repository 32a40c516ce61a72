#pragma once
// Who waits for the reply to which input. The core names a waiter by a token; this maps it to the NATS message to
// answer. Bounded; a waiter whose budget is long over is forgotten. Any thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "common/io/nats/nats_link.hpp"
#include "common/model/reply.hpp"
#include "common/model/request.hpp"
#include "services/state-sync/core/input.hpp"
#include "services/state-sync/shell/renewal_answer.hpp"

namespace throughline::state_sync {

class reply_desk {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  explicit reply_desk(io::nats_link& link) : link_(link) {}

  /// 0 when too many wait: answer busy.
  [[nodiscard]] reply_token wait(io::message from, time_point until);
  /// A token for each attachment of `what`, in order; empty when too many wait. One answer goes out when all of them
  /// are answered, or after `until` with what is known by then: no session waits for another one (design 3.6).
  [[nodiscard]] std::vector<reply_token> wait_each(io::message from, const renew& what, time_point until);
  /// Answers and forgets. Nothing happens for 0 and for one who waits no more.
  void answer(reply_token to, const reply& what, std::uint64_t epoch);
  /// Answers a message that never became an input.
  void answer(const io::message& to, const reply& what, std::uint64_t epoch);
  /// To be called now and then: answers those of `wait_each` whose time is over.
  void answer_overdue(time_point now);

 private:
  static constexpr std::size_t waiters_max = 65'536;
  struct gathering {
    io::message from;
    renewal_answer answer;
    bool said = false;
  };
  struct waiter {
    io::message from;                    ///< of one that waits alone
    std::shared_ptr<gathering> part_of;  ///< of the others
    std::size_t place = 0;               ///< in it
    std::multimap<time_point, reply_token>::iterator until;
  };
  struct due_answer {
    io::message to;
    reply what;
    std::uint64_t epoch = 0;
  };
  [[nodiscard]] bool has_room(std::size_t more, std::vector<due_answer>& due);
  reply_token add(waiter one, time_point until);
  void forget_late(time_point now, std::vector<due_answer>& due);
  static void say(gathering& of, std::vector<due_answer>& due);
  void send(const std::vector<due_answer>& due);

  io::nats_link& link_;
  std::mutex guard_;
  reply_token last_ = 0;
  std::unordered_map<reply_token, waiter> waiters_;
  std::multimap<time_point, reply_token> by_time_;
};

}  // namespace throughline::state_sync
