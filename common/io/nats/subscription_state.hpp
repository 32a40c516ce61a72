#pragma once
// One subscription of ours, across connections.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "common/io/nats/inbound.hpp"
#include "common/io/nats/nats_link.hpp"

namespace throughline::io::detail {

class link_state;

class subscription_state : public inbound, public std::enable_shared_from_this<subscription_state> {
 public:
  subscription_state(std::weak_ptr<link_state> link, std::string subject, std::string queue,
                     nats_link::message_handler handler, pending_limits limits)
      : link_(std::move(link)),
        subject_(std::move(subject)),
        queue_(std::move(queue)),
        handler_(std::move(handler)),
        limits_(limits) {}

  const std::string& subject() const { return subject_; }
  const std::string& queue() const { return queue_; }
  const pending_limits& limits() const { return limits_; }

  void receive(message m, bool no_responders) override;

  /// Counts a message in that will wait for `run_admitted`; false when the limits are reached, and it is counted as
  /// dropped.
  bool admit(std::size_t bytes);
  void run_admitted(message m);
  void run(message m);
  void end();  ///< no handler runs after this
  void unsubscribe();
  std::uint64_t dropped() const;
  std::uint64_t dropped_waiting() const { return dropped_; }

 private:
  std::weak_ptr<link_state> link_;
  std::string subject_;
  std::string queue_;
  nats_link::message_handler handler_;
  pending_limits limits_;

  std::recursive_mutex running_;  // held while the handler runs; recursive, so that it may end its own subscription
  bool ended_ = false;
  std::atomic<std::size_t> waiting_messages_ = 0;
  std::atomic<std::size_t> waiting_bytes_ = 0;
  std::atomic<std::uint64_t> dropped_ = 0;
};

}  // namespace throughline::io::detail
