#pragma once
// Which shards this replica owns (design 3.5). A thread of its own holds PostgreSQL's locks on one connection, looks at
// all of them every 500 ms and when another replica tells of a change (which is also the beat), and takes or gives up
// what `change_of` says. A replica that cannot serve (it hears no requests, or its writers cannot write) leaves the
// list of members, and its shards to those that can. Correctness never rests on it: the fence does.

#include <array>
#include <atomic>
#include <chrono>
#include <expected>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/ulid.hpp"
#include "common/io/postgres/database.hpp"
#include "services/state-sync/shell/commit_health.hpp"
#include "services/state-sync/shell/connector.hpp"
#include "services/state-sync/shell/shard_share.hpp"
#include "services/state-sync/shell/wake_signal.hpp"

namespace throughline::state_sync {

class ownership {
 public:
  /// Called on the ownership thread.
  struct callbacks {
    std::function<void(const std::vector<shard_number>&)> taken;
    /// To be given up: takes no more requests for them, finishes what was taken, and returns. They are still held.
    std::function<void(const std::vector<shard_number>&)> leaving;
    /// Their locks are gone, without warning.
    std::function<void(const std::vector<shard_number>&)> lost;
    /// Whether the database answers; the reason when not.
    std::function<void(bool up, const std::string& why)> database;
  };

  /// `writers`: what they say of themselves.
  ownership(const io::database& database, commit_health& writers, callbacks tell);
  ~ownership();  ///< `stop`
  ownership(const ownership&) = delete;
  ownership& operator=(const ownership&) = delete;

  void start();
  /// Gives all shards up, at once, so that others can take them. Twice is harmless.
  void stop();

  /// Whether requests can be heard. While they cannot, this replica takes no shards, and hands its own to others that
  /// can hear. Any thread; true at first, and false before `start` is as if it had been so for ever.
  void hears(bool requests);

  /// Any thread.
  standing of(shard_number shard) const;
  bool holds_any() const;
  /// The database was heard of within two beats. Any thread.
  bool certain() const;

 private:
  using clock = std::chrono::steady_clock;

  void run();
  void round();
  bool connect_now();
  bool keep_membership();
  bool try_to_connect();
  void forget_trial();
  void join_members();
  void leave_members(std::string_view why);
  bool deaf_for(std::chrono::milliseconds time) const;
  bool unable_for(std::chrono::milliseconds time) const;
  shard_view look();
  void take(const std::vector<shard_number>& free);
  void give_up(const std::vector<shard_number>& held);
  void set_held(const std::vector<shard_number>& shards, bool held);
  std::vector<shard_number> all_held() const;
  void connection_lost();
  void give_up_all();

  const io::database& database_;
  commit_health& writers_;
  const callbacks tell_;
  std::unique_ptr<io::database_connection> connection_;
  member_number number_ = 0;  ///< of this connection's membership
  bool member_ = false;
  std::optional<clock::time_point> unable_since_;  ///< writers of this replica cannot write
  std::array<std::atomic<bool>, shard_count> held_{};
  std::atomic<clock::rep> last_beat_ = 0;   ///< when the beat that was last answered was sent
  std::atomic<clock::rep> deaf_since_ = 0;  ///< 0: hears
  std::atomic<bool> started_ = false;
  std::atomic<bool> stopping_ = false;
  wake_signal wake_;
  std::future<std::expected<connected, std::string>> trial_;  ///< under way, or not looked at yet
  std::unique_ptr<io::database_connection> tried_;            ///< passed in this round
  std::thread thread_;
};

}  // namespace throughline::state_sync
