#pragma once
// Decides requests about API keys: one thread with a connection, behind a bounded queue (design 5.2). Any replica does,
// since what is decided rests on the database alone. Any thread may offer.

#include <chrono>
#include <memory>
#include <thread>

#include "common/io/nats/nats_link.hpp"
#include "common/io/postgres/database.hpp"
#include "common/model/key_request.hpp"
#include "services/state-sync/shell/inbox.hpp"
#include "services/state-sync/shell/store/key_store.hpp"

namespace throughline::state_sync {

struct pending_key_request {
  key_request what;
  io::message from;
  std::chrono::steady_clock::time_point received;
  millis budget{0};
};

class key_desk {
 public:
  key_desk(const io::database& database, io::nats_link& link);
  ~key_desk();  ///< `stop`
  key_desk(const key_desk&) = delete;
  key_desk& operator=(const key_desk&) = delete;

  /// Answers it after commit, now or later; `busy` when too many wait.
  void offer(pending_key_request request);
  /// Answers what was taken and ends the thread.
  void stop();

 private:
  struct session;  ///< the thread's connection
  void run();
  void answer_to(session& with, const pending_key_request& request);
  bool connected(session& with);
  void put_off(const pending_key_request& request, std::uint32_t after_ms);

  const io::database& database_;
  io::nats_link& link_;
  inbox<pending_key_request> inbox_;
  std::thread thread_;
};

}  // namespace throughline::state_sync
