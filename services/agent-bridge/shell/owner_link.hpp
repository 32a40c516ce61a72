#pragma once
// Asking state-sync: one attempt each, typed both ways. Who asks decides about repeats. Loop's thread.

#include <expected>
#include <functional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "common/base/instant.hpp"
#include "common/codec/requests.hpp"
#include "common/io/nats/nats_link.hpp"
#include "common/model/bridge_order.hpp"
#include "common/model/reply.hpp"
#include "common/model/request.hpp"
#include "services/agent-bridge/core/epoch_gate.hpp"
#include "services/agent-bridge/core/retry.hpp"

namespace throughline::agent_bridge {

class owner_link {
 public:
  template <class T>
  using outcome = std::expected<T, send_failure>;

  explicit owner_link(io::nats_link& link) : link_(link) {}

  /// To the owner of the session's shard. `then` is called once, later, unless the handle ends first.
  [[nodiscard]] io::request_handle ask(const session_request& request, millis timeout,
                                       std::function<void(outcome<codec::reply_message>)> then);
  /// To the owner of the attachments' shard.
  [[nodiscard]] io::request_handle ask(const renew& request, millis timeout,
                                       std::function<void(outcome<codec::reply_message>)> then);
  boost::asio::awaitable<outcome<codec::reply_message>> ask(const session_request& request, millis timeout);
  /// To any state-sync.
  boost::asio::awaitable<outcome<reading>> read(const read_request& request, millis timeout);

  /// False for what an outdated state-sync says, to be ignored; that one is told.
  bool admit(std::uint64_t epoch);
  void respond(const io::message& to, order_outcome outcome);

 private:
  io::request_handle ask(std::string subject, std::string body, millis timeout,
                         std::function<void(outcome<codec::reply_message>)> then);
  outcome<codec::reply_message> reply_of(const result<io::message>& answer);

  io::nats_link& link_;
  epoch_gate epochs_;
};

}  // namespace throughline::agent_bridge
