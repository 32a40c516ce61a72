#pragma once
// Hears of epochs above our own and tells of ours (design 3.4): what another process has seen makes our connections to
// an outdated server unusable, and whoever uses them opens new ones. Where the URL lists several hosts, they are also
// looked at now and then: a standby that was promoted while the old primary lives is found by nobody otherwise.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "common/io/nats/nats_link.hpp"
#include "common/io/postgres/database.hpp"

namespace throughline::state_sync {

class epoch_watch {
 public:
  epoch_watch(const io::database& database, io::nats_link& link);
  ~epoch_watch();  ///< `stop`
  epoch_watch(const epoch_watch&) = delete;
  epoch_watch& operator=(const epoch_watch&) = delete;

  void start();
  void stop();

 private:
  using clock = std::chrono::steady_clock;
  void heard(const io::message& m);
  void run();
  void tell(clock::time_point now);
  void look_around(clock::time_point now);

  const io::database& database_;
  io::nats_link& link_;
  io::subscription news_;
  std::uint64_t told_ = 0;
  clock::time_point next_told_{};
  clock::time_point next_look_{};

  std::mutex guard_;
  std::condition_variable stop_asked_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace throughline::state_sync
