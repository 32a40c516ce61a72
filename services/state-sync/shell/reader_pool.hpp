#pragma once
// Answers reads: a few threads, each with a connection, behind one bounded queue (design 3.7, section 7). Any thread
// may offer.

#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "common/io/nats/nats_link.hpp"
#include "common/io/postgres/database.hpp"
#include "common/model/request.hpp"
#include "services/state-sync/shell/inbox.hpp"
#include "services/state-sync/shell/probe.hpp"
#include "services/state-sync/shell/store/reads.hpp"

namespace throughline::state_sync {

struct pending_read {
  read_request what;
  io::message from;
  std::chrono::steady_clock::time_point received;
  millis budget{0};
};

class reader_pool {
 public:
  reader_pool(const io::database& database, io::nats_link& link, const probe& counts, std::size_t snapshot_budget);
  ~reader_pool();  ///< `stop`
  reader_pool(const reader_pool&) = delete;
  reader_pool& operator=(const reader_pool&) = delete;

  /// Answers it, now or later; `busy` when too many wait.
  void offer(pending_read read);
  /// Answers it `busy`.
  void put_off(const pending_read& read, std::uint32_t after_ms);
  /// Answers what was taken and ends the threads.
  void stop();

 private:
  struct session;  ///< a thread's connection
  void run();
  void answer(session& with, const pending_read& read);

  const io::database& database_;
  io::nats_link& link_;
  const probe& probe_;
  const std::size_t snapshot_budget_;
  inbox<pending_read> inbox_;
  std::vector<std::thread> threads_;
};

}  // namespace throughline::state_sync
