#pragma once
// The door from NATS: subscriptions, and what is done with each message (design 3.5, 3.7). Its handlers run on NATS's
// threads; `take` and `release` on the ownership thread.

#include <array>
#include <functional>
#include <mutex>
#include <vector>

#include "common/base/ulid.hpp"
#include "common/io/nats/nats_link.hpp"
#include "services/state-sync/shell/key_desk.hpp"
#include "services/state-sync/shell/probe.hpp"
#include "services/state-sync/shell/pulse.hpp"
#include "services/state-sync/shell/reader_pool.hpp"
#include "services/state-sync/shell/reply_desk.hpp"
#include "services/state-sync/shell/shard_share.hpp"
#include "services/state-sync/shell/writer.hpp"

namespace throughline::state_sync {

class front {
 public:
  struct rooms {
    io::nats_link& link;
    std::vector<writer*> writers;  ///< by shard modulo their number
    reader_pool& readers;
    key_desk& keys;
    reply_desk& replies;
    const probe& counts;
    const pulse& process;
    std::function<standing(shard_number)> of;
    std::function<bool()> database_heard;  ///< lately
  };
  explicit front(rooms to) : to_(std::move(to)) {}

  /// What any replica answers: reads, and requests about keys.
  void open();
  void take(const std::vector<shard_number>& shards);
  /// Ends the subscriptions. What the server had sent before has been offered to the writers when this returns, or
  /// answered.
  void release(const std::vector<shard_number>& shards);
  /// Nothing is taken any more when it has returned.
  void close();

  writer& writer_of(shard_number shard) { return *to_.writers[shard % to_.writers.size()]; }

 private:
  void arrived(io::message m);
  void key_request_arrived(io::message m);
  void refuse(const io::message& m, const error& why);
  void ask_writer(session_request request, io::message from, millis budget);
  void ask_writer_each(const renew& request, io::message from, millis budget);

  rooms to_;
  std::mutex guard_;
  bool closed_ = false;
  io::subscription reads_;
  io::subscription keys_;
  std::array<io::subscription, shard_count> shards_;
};

}  // namespace throughline::state_sync
