#pragma once
// The inside of a nats_link. Two threads of its own: the keeper makes and replaces connections; the timer ends requests
// that are overdue, ages the joiner, watches episodes of dropping, and without a waker runs the events.

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/io/nats/delivery.hpp"
#include "common/io/nats/link_requests.hpp"
#include "common/io/nats/nats_client.hpp"
#include "common/io/nats/splitting.hpp"
#include "common/io/nats/subscription_state.hpp"

namespace throughline::io::detail {

class link_state : public std::enable_shared_from_this<link_state> {
 public:
  using clock = std::chrono::steady_clock;
  struct events {
    std::function<void()> connected;
    std::function<void()> disconnected;
    std::function<void(const std::string&)> refused;
    std::function<void(const std::string&)> dropped;
  };

  static std::shared_ptr<link_state> make(nats_settings settings);

  events tell;  // set before `start`

  void start();
  void connect_no_more();
  void stop(std::chrono::milliseconds flush);
  bool connected() const { return announced_; }
  std::size_t max_payload() const { return talk_->max_payload(); }
  std::uint64_t joins_dropped() const;
  void drain() { delivery_.drain(); }

  result<void> publish(const std::string& subject, const message_headers& headers, const std::string& body);
  result<void> respond(const message& to, const message_headers& headers, const std::string& body);
  std::shared_ptr<subscription_state> subscribe(const std::string& subject, const std::string& queue,
                                                nats_link::message_handler handler, pending_limits limits);
  std::shared_ptr<request_state> request(const request_target& target, const message_headers& headers,
                                         const std::string& body, std::chrono::milliseconds timeout,
                                         nats_link::reply_callback callback);

  void unsubscribe(subscription_state& which);
  void finish(const std::vector<std::shared_ptr<subscription_state>>& which, std::chrono::milliseconds longest);
  std::uint64_t dropped(const subscription_state& which) const;

  // On NATS's threads.
  void arrived(std::shared_ptr<subscription_state> at, message m);
  void replied(std::uint64_t inbox, message m, bool no_responders);

 private:
  explicit link_state(nats_settings settings);

  class inbox;
  struct episode {
    std::uint64_t dropped = 0;
    clock::time_point moved_at;
  };

  void forget(const subscription_state& which);
  void make_clients();
  void restore_subscriptions();
  result<void> send(nats_client& over, const std::string& subject, const std::string& reply,
                    const message_headers& headers, const std::string& body);
  std::optional<message> joined(std::uint64_t receiver, message m);

  void keep();
  bool open_client(nats_client& which, std::size_t first);
  bool is_stopping();
  void refused(std::string why);
  void connection_lost(std::uint64_t connection);

  void run_timer();
  void tick(clock::time_point now);
  void wake_timer_by(clock::time_point deadline);
  void post_event(std::function<void()> call);
  void fail_requests(const std::vector<link_requests::request>& which, const char* code, const char* reason);
  void note_dropping(std::uint64_t subscription);
  void watch_episodes(clock::time_point now);
  std::shared_ptr<subscription_state> find(std::uint64_t subscription) const;

  delivery delivery_;
  std::shared_ptr<link_requests> requests_ = std::make_shared<link_requests>();
  std::shared_ptr<inbox> inbox_;
  std::shared_ptr<nats_client> talk_;  // at once: subscriptions, requests, replies
  std::shared_ptr<nats_client> bulk_;  // gathered: publish
  nats_settings settings_;

  mutable std::mutex subscriptions_guard_;
  std::map<std::uint64_t, std::weak_ptr<subscription_state>> subscriptions_;

  mutable std::mutex joiner_guard_;
  joiner joiner_;
  std::string split_prefix_;
  std::atomic<std::uint64_t> last_split_ = 0;

  std::mutex keeper_guard_;
  std::condition_variable keeper_wanted_;
  bool lost_ = false;
  bool stopping_ = false;
  std::atomic<bool> announced_ = false;
  std::string why_not_;  ///< last told; the keeper's own
  std::thread keeper_;

  std::mutex timer_guard_;
  std::condition_variable timer_wanted_;
  std::deque<std::function<void()>> calls_;  // events, in order; only without a waker
  clock::time_point timer_wakes_at_ = clock::time_point::min();
  std::map<std::uint64_t, episode> episodes_;
  bool timer_stopping_ = false;
  std::thread timer_;
};

}  // namespace throughline::io::detail
