#pragma once
// Orders to agent-bridges: sent after their commit, repeated until answered (design 6.3). The orders of one attachment
// go out one after the other, so that the agent gets its commands in order. An owner that was replaced sends none: its
// order may have been called off since. An order is kept for as long as its attachment and its command live: nobody
// else would give it again. Any thread; a thread of its own repeats.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "common/base/ulid.hpp"
#include "common/io/nats/nats_link.hpp"
#include "services/state-sync/core/decision.hpp"
#include "services/state-sync/shell/probe.hpp"
#include "services/state-sync/shell/shard_share.hpp"

namespace throughline::state_sync {

/// How often an order is repeated.
struct order_times {
  std::chrono::milliseconds answer{1000};    ///< what one answer, and the first repeat, may take
  std::chrono::milliseconds pause{5000};     ///< at most, between two repeats
  unsigned tries = 60;                       ///< after so many, five minutes, it is asked rarely
  std::chrono::milliseconds rarely{30'000};  ///< between two repeats then
  /// An order to close outlives its attachment; a bridge that has not answered for so long, with NATS there, is gone.
  std::chrono::milliseconds closing{300'000};
};

class order_desk {
 public:
  /// Takes what became of a command: an input for the session's tree. False when it cannot take it now: the bridge is
  /// asked again, which answers as it did the first time.
  using report = std::function<bool(command_outcome)>;

  /// Whether this replica may act for a shard now.
  using standing_of = std::function<standing(shard_number)>;

  order_desk(
      io::nats_link& link, const probe& counts, report tell,
      standing_of of = [](shard_number) { return standing::owner; }, order_times times = {});
  ~order_desk();  ///< stops; the link must have been stopped before
  order_desk(const order_desk&) = delete;
  order_desk& operator=(const order_desk&) = delete;

  void give(order what, std::uint64_t epoch);
  /// Committed states of attachments: what a sealed or removed one still waits for is void; of a superseded one only
  /// prompts are still asked for, for one that was not written is sent again.
  void attachment_is(const attachment_id& id, attachment_state state);
  void attachment_gone(const attachment_id& id);
  /// Nobody needs it written any more.
  void command_gone(const command_id& id);
  /// The shard has another owner now.
  void forget(shard_number shard);
  /// Nothing could be said or heard until now: every order is asked at once, and its time begins anew.
  void was_deaf_until_now();
  /// Attachments that have an order waiting.
  std::size_t waiting() const;

 private:
  using clock = std::chrono::steady_clock;
  struct waiting_order {
    order what;
    std::uint64_t epoch = 0;
    clock::time_point since;
    unsigned tries = 0;
  };
  struct lane {  ///< of one attachment
    std::deque<waiting_order> orders;
    bool asked = false;            ///< the first one is on its way
    std::uint64_t generation = 0;  ///< of the first one: answers to others are late
    clock::time_point sent_at;
    clock::time_point next_try;
  };
  using lane_key = std::string;  ///< the attachment's id
  struct question {              ///< what an answer is about
    session_id session;
    std::uint64_t generation = 0;
    std::optional<command_id> command;  ///< of a write
  };

  void run();
  clock::time_point send_due(std::unique_lock<std::mutex>& hold);
  void send(const lane_key& key, std::uint64_t generation, const waiting_order& what);
  void answered(const lane_key& key, const question& about, result<io::message> answer);
  void restart(lane& l);  ///< its first order is asked now, whatever was asked before
  void take_off(lane& l);
  void drop_old_closings(lane& l);
  void dropped(const order& what, const char* why) const;
  std::chrono::milliseconds pause_after(unsigned tries) const;

  io::nats_link& link_;
  const probe& probe_;
  const report tell_;
  const standing_of of_;
  const order_times times_;
  mutable std::mutex guard_;
  std::condition_variable changed_;
  std::unordered_map<lane_key, lane> lanes_;
  std::uint64_t generations_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace throughline::state_sync
