#pragma once
// What the public port does with a request: pages, the API, user sockets. Loop's thread.

#include <boost/asio/awaitable.hpp>

#include "common/io/net/http_server.hpp"
#include "services/gateway/shell/endpoints.hpp"
#include "services/gateway/shell/identification.hpp"
#include "services/gateway/shell/load_meter.hpp"
#include "services/gateway/shell/probe.hpp"
#include "services/gateway/shell/user_sockets.hpp"

namespace throughline::gateway {

class front final : public io::request_handler {
 public:
  /// All of them outlive this.
  front(identification& identify, endpoints& api, user_sockets& sockets, const probe& counts, load_meter& load)
      : identify_(identify), api_(api), sockets_(sockets), counts_(counts), load_(load) {}

  /// From now on requests are refused that would stay; others are answered still, those under way go on.
  void drain() { draining_ = true; }

  boost::asio::awaitable<io::http_result> serve(io::http_request& request) override;
  boost::asio::awaitable<io::upgrade_result> upgrade(io::http_request& request) override;

 private:
  boost::asio::awaitable<io::http_result> respond(const io::http_request& request);

  identification& identify_;
  endpoints& api_;
  user_sockets& sockets_;
  const probe& counts_;
  load_meter& load_;
  bool draining_ = false;
};

}  // namespace throughline::gateway
