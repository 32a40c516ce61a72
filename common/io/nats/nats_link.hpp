#pragma once
// The wire between services: publish, subscribe, request and respond over core NATS, which may lose anything (G4).
//
// Two connections. One sends at once and carries subscriptions, requests and replies: a request made after `subscribe`
// returned reaches the server after the subscription. The other gathers for up to 1 ms and carries `publish`, whose
// order it keeps. An unreachable server is no error: both are tried again for ever, and nothing is kept for later while
// they are down (design 3.7).
//
// Threads: every member may be called from any thread. Handlers and callbacks run on NATS's own threads, or, with
// `nats_settings::wake`, only inside `drain()`. They must not block, and without `wake` not throw.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/io/nats/message.hpp"

namespace throughline::io {

struct nats_settings {
  std::string urls;        ///< comma list; user:password@ percent-encoded; tls:// for any is tls:// for all
  std::string creds_file;  ///< "" for none
  std::string name;        ///< shown by the server's monitoring
  /// Called (on any thread, must not block) when something waits for `drain()` and nothing did before.
  std::function<void()> wake;
};

/// Where a request goes. `subject` may be served by a queue group; `direct` by one plain subscription, and is used for
/// a request that must be split (design 3.8). An empty `direct` means `subject` has no queue group.
struct request_target {
  std::string subject;
  std::string direct;
};

/// What a subscription may hold that was not handled yet; what comes above it is dropped.
struct pending_limits {
  std::size_t messages = 65'536;
  std::size_t bytes = 64u << 20;
};

namespace detail {
class link_state;
class subscription_state;
class request_state;
}  // namespace detail

/// Ends with this object: when the destructor or `reset` has returned, its handler does not run and will not run again
/// (inside the handler: not again). Without `wake` it waits for a handler that runs on another thread: hold no lock
/// that the handler takes. With `wake`, to be ended on the thread that drains.
class subscription {
 public:
  subscription() = default;
  subscription(subscription&&) noexcept = default;
  subscription& operator=(subscription&& other) noexcept;
  ~subscription();

  void reset();
  explicit operator bool() const { return state_ != nullptr; }
  std::uint64_t dropped() const;  ///< messages lost to the pending limits so far

 private:
  friend class nats_link;
  explicit subscription(std::shared_ptr<detail::subscription_state> state) : state_(std::move(state)) {}
  std::shared_ptr<detail::subscription_state> state_;
};

/// A request under way. Its callback runs once at most: not after `cancel`, the destructor, or the link's end (same
/// rules of threads as `subscription`). `release` lets it run without a handle.
class request_handle {
 public:
  request_handle() = default;
  request_handle(request_handle&&) noexcept = default;
  request_handle& operator=(request_handle&& other) noexcept;
  ~request_handle();

  void cancel();
  void release() { state_.reset(); }

 private:
  friend class nats_link;
  explicit request_handle(std::shared_ptr<detail::request_state> state) : state_(std::move(state)) {}
  std::shared_ptr<detail::request_state> state_;
};

class nats_link {
 public:
  using message_handler = std::function<void(message)>;
  using reply_callback = std::function<void(result<message>)>;

  /// Connects to nothing yet: callbacks and first subscriptions can be made before `start`.
  explicit nats_link(nats_settings settings);
  ~nats_link();  ///< `stop`; not from inside a callback
  nats_link(const nats_link&) = delete;
  nats_link& operator=(const nats_link&) = delete;

  /// To be set before `start`.
  void on_connected(
      std::function<void()> callback);  ///< first connection and after each reconnect, subscriptions restored
  void on_disconnected(std::function<void()> callback);  ///< after `on_connected`, when either connection is lost
  /// No server took us; once per reason, which names the servers but no secret. Not after `on_connected`.
  void on_refused(std::function<void(const std::string& why)> callback);
  /// Messages for this subject were dropped: at the start of an episode, and again when nothing has been dropped for 1
  /// s.
  void on_dropped(std::function<void(const std::string& subject)> callback);

  void start();  ///< returns at once
  /// From now on a lost connection is not replaced. For who will `stop` by a certain time: an attempt that has begun
  /// goes on for 2 s where the server does not answer, and `stop` waits for it.
  void connect_no_more();
  static constexpr std::chrono::milliseconds flush_max{2'000};
  /// Sends what was accepted, for up to `flush`, closes, and ends all callbacks; requests under way are forgotten.
  void stop(std::chrono::milliseconds flush = flush_max);

  bool connected() const;               ///< both connections
  std::size_t max_payload() const;      ///< of the server, 1 MiB until known
  std::uint64_t joins_dropped() const;  ///< split messages of which parts did not arrive in time or that were too many

  /// Errors: `disconnected` (nothing was sent), `connection_lost` (part of it may have been), `too_large`.
  result<void> publish(const std::string& subject, const message_headers& headers, const std::string& body);

  /// Active on the server when connected, and restored by every reconnect. `queue` "" is none.
  [[nodiscard]] subscription subscribe(const std::string& subject, const std::string& queue, message_handler handler,
                                       pending_limits limits = {});

  /// Ends these without losing what the server has sent for them: takes them off the server, runs their handlers for
  /// what came before that, and returns when that is done, or after `longest`. Only without `wake`; not inside a
  /// handler.
  void finish(std::vector<subscription> which, std::chrono::milliseconds longest);

  /// Asynchronous, many at once. `callback` gets the reply or an error:
  ///   `no_responders`    nobody listens, nothing happened;
  ///   `disconnected`     the link is down, nothing was sent (at once);
  ///   `timeout`          no answer in time: outcome unknown;
  ///   `connection_lost`  the connection broke while waiting: outcome unknown (at once);
  ///   `too_large`        above what a receiver joins (`join_bytes_max`), nothing was sent.
  /// The callback never runs inside this call.
  [[nodiscard]] request_handle request(const request_target& target, const message_headers& headers,
                                       const std::string& body, std::chrono::milliseconds timeout,
                                       reply_callback callback);

  /// Answers `to`, a message that was received. Errors as `publish`, and `no_reply_subject`.
  result<void> respond(const message& to, const message_headers& headers, const std::string& body);

  /// With `wake`: runs what is waiting, on this thread. Always the same thread.
  void drain();
  /// `drain` as something to hand to a loop: does nothing once the link is gone.
  std::function<void()> drainer() const;

 private:
  std::shared_ptr<detail::link_state> state_;
};

}  // namespace throughline::io
