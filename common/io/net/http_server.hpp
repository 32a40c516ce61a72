#pragma once
// The public port: HTTP/1.1 with keep-alive, streams and WebSocket upgrades. A fault ends one connection, never the
// server.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include <boost/asio/awaitable.hpp>

#include "common/base/result.hpp"
#include "common/io/net/event_loop.hpp"
#include "common/io/net/http.hpp"
#include "common/io/net/websocket.hpp"

namespace throughline::io {

struct server_limits {
  std::size_t header_bytes_max = 16u << 10;       ///< then 431
  std::size_t body_bytes_max = 10u << 20;         ///< then 413 (design 5.3)
  std::chrono::milliseconds header_wait{15'000};  ///< from a request's first byte to the end of its header
  std::chrono::milliseconds body_wait{60'000};    ///< for a whole body
  std::chrono::milliseconds keep_alive{75'000};   ///< between requests
  std::chrono::milliseconds write_wait{60'000};   ///< for a response; for any chunk of a stream
  std::size_t connections_max = 100'000;          ///< then a new connection is closed at once
  bool reuse_port = false;                        ///< for one server per loop on the same port
};

/// The upgrade is granted. `run` serves the socket; when it returns, the socket is closed with 1000 unless it is
/// closing already. `failed` is called instead when the 101 could not be written.
struct accept_socket {
  std::string subprotocol;  ///< "" for none
  socket_limits limits;
  std::function<boost::asio::awaitable<void>(std::shared_ptr<websocket>)> run;
  std::function<void()> failed;
};
/// The upgrade is granted only to say why not: for clients that cannot see an HTTP refusal (design 5.4).
struct accept_and_close {
  std::string subprotocol;
  std::uint16_t code = 1008;
  std::string reason;
};
using upgrade_result = std::variant<http_response, accept_socket, accept_and_close>;

/// What the program does with requests. Called on the loop; many calls can be under way at once. `request` lives until
/// the coroutine ends.
class request_handler {
 public:
  virtual ~request_handler() = default;
  virtual boost::asio::awaitable<http_result> serve(http_request& request) = 0;
  /// A well-formed WebSocket upgrade (GET, version 13, key). Its Sec-WebSocket-Protocol is in the headers as sent.
  virtual boost::asio::awaitable<upgrade_result> upgrade(http_request& request) = 0;
};

class http_server {
 public:
  http_server(event_loop& loop, std::shared_ptr<request_handler> handler, server_limits limits = {});
  ~http_server();  ///< `stop_accepting` and `cut_all`; on the loop's thread or when it does not run
  http_server(const http_server&) = delete;
  http_server& operator=(const http_server&) = delete;

  /// Binds and serves once the loop runs; gives the port bound (the kernel's choice for 0). Error `listen_failed`.
  result<std::uint16_t> listen(const std::string& host, std::uint16_t port);

  /// No new connections; idle ones end, busy ones after their response. Sockets and streams go on. Loop's thread, as
  /// the rest.
  void stop_accepting();
  std::size_t connections() const;
  /// Until no connection is left (true), or until `longest` has passed.
  boost::asio::awaitable<bool> wait_idle(std::chrono::milliseconds longest);
  void cut_all();  ///< ends every connection without a word

 public:
  struct state;  ///< of the implementation

 private:
  std::shared_ptr<state> state_;
};

/// Lifts this process's bound on open files as far as it may go; gives how many connections that leaves when `kept` of
/// them are for something else, at most the default of `server_limits`.
std::size_t raise_descriptor_limit(std::size_t kept);

/// True iff `offered` (a Sec-WebSocket-Protocol header) names `protocol`.
bool offers_protocol(std::string_view offered, std::string_view protocol);

}  // namespace throughline::io
