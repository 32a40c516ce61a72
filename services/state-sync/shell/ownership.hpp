#pragma once
// Which shards this replica owns (design 3.5). A thread of its own holds PostgreSQL's locks on one connection, beats
// every second, and takes free shards every 500 ms. Correctness never rests on it: the fence does.

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/ulid.hpp"
#include "common/io/postgres/database.hpp"

namespace throughline::state_sync {

class ownership {
 public:
  /// Called on the ownership thread.
  struct callbacks {
    std::function<void(const std::vector<shard_number>&)> taken;
    std::function<void(const std::vector<shard_number>&)> lost;
    /// Whether the database answers; the reason when not.
    std::function<void(bool up, const std::string& why)> database;
  };

  ownership(const io::database& database, callbacks tell);
  ~ownership();  ///< `stop`
  ownership(const ownership&) = delete;
  ownership& operator=(const ownership&) = delete;

  void start();
  /// Gives all shards up, at once, so that others can take them. Twice is harmless.
  void stop();

  /// True iff the shard's lock is held and the last beat is younger than two. Any thread.
  bool serving(shard_number shard) const;

 private:
  using clock = std::chrono::steady_clock;

  void run();
  void round();
  bool connect_now();
  void beat();
  void take_free();
  void lose_all();
  void give_up();

  const io::database& database_;
  const callbacks tell_;
  std::unique_ptr<io::database_connection> connection_;
  std::array<std::atomic<bool>, shard_count> held_{};
  std::atomic<clock::rep> last_beat_ = 0;
  clock::time_point next_beat_{};

  std::mutex guard_;
  std::condition_variable stop_asked_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace throughline::state_sync
