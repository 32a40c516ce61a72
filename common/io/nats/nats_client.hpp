#pragma once
// One connection to NATS at a time, over nats.c. nats.c's own reconnecting is off: it
// sends what it had buffered before the outage, and gives up after a refused login. A lost connection is replaced by
// `connect`.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <nats/nats.h>

#include "common/base/result.hpp"
#include "common/io/nats/inbound.hpp"
#include "common/io/nats/nats_link.hpp"
#include "common/io/nats/server_url.hpp"

namespace throughline::io::detail {

class nats_client : public std::enable_shared_from_this<nats_client> {
 public:
  struct listener {
    std::function<void(std::uint64_t connection)> lost;    ///< once per connection that was made
    std::function<void(std::uint64_t subscription)> slow;  ///< nats.c dropped messages: the start of an episode
  };

  nats_client(const nats_settings& settings, bool send_at_once, listener tell);
  ~nats_client();
  nats_client(const nats_client&) = delete;
  nats_client& operator=(const nats_client&) = delete;

  /// Makes a new connection in place of the last, to the first server of the list that takes us, beginning with number
  /// `first` (any number); blocks for seconds per server. Subscriptions can be made on it when it returns; `send` works
  /// from `open` on. The error says why not, server by server.
  result<void> connect(std::size_t first);
  /// Waits until the server has handled what was subscribed, then lets messages out.
  result<void> open();
  /// A `connect` under way gives up before the next server. Any thread.
  void connect_no_more() { no_more_ = true; }
  void close(std::chrono::milliseconds flush);  ///< for nothing that is to be sent, where `flush` is not above 0

  bool is_open() const { return open_ != 0; }
  std::uint64_t connection() const { return open_; }  ///< number of the open connection, or 0
  std::size_t max_payload() const { return max_payload_; }

  /// Gives the number of the connection it went out on.
  result<std::uint64_t> send(const std::string& subject, const std::string& reply, const message_headers& headers,
                             std::string_view body);

  /// Does nothing when it is subscribed already or there is no connection.
  void subscribe(const inbound& to, const std::string& subject, const std::string& queue, pending_limits limits);
  void unsubscribe(std::uint64_t subscription);
  /// Unsubscribes, and waits until what the server had sent before has been handled.
  void finish(const std::vector<std::uint64_t>& subscriptions, std::chrono::milliseconds longest);
  std::uint64_t dropped(std::uint64_t subscription) const;

  // Called by nats.c, through the directory.
  void connection_closed(std::uint64_t connection);
  void messages_dropped(const natsSubscription* subscription);

 private:
  using handle = std::shared_ptr<natsConnection>;
  handle current() const;
  natsStatus connect_to(const server_url& url);
  natsSubscription* take(std::uint64_t subscription);
  void release();

  nats_settings settings_;
  std::vector<server_url> servers_;
  bool tls_ = false;  ///< one of them asks for it: then none is spoken to without
  bool send_at_once_;
  listener tell_;

  mutable std::mutex guard_;
  handle current_;
  std::uint64_t current_number_ = 0;
  std::unordered_map<std::uint64_t, natsSubscription*> subscriptions_;
  std::atomic<std::uint64_t> open_ = 0;
  std::atomic<bool> no_more_ = false;
  std::atomic<std::size_t> max_payload_ = 1u << 20;
};

}  // namespace throughline::io::detail
