#pragma once
// What an http_server shares with its connections. Private to common/io/net.

#include <chrono>
#include <memory>
#include <unordered_set>

#include <boost/asio/ip/tcp.hpp>

#include "common/io/net/event_loop.hpp"
#include "common/io/net/http_server.hpp"

namespace throughline::io {

/// A connection as its server sees it.
class server_connection {
 public:
  virtual ~server_connection() = default;
  virtual void end_when_idle() = 0;  ///< now, when no request is being served; else after its response
  virtual void cut() = 0;
};

struct http_server::state {
  state(event_loop& l, std::shared_ptr<request_handler> h, server_limits given)
      : loop(l), handler(std::move(h)), limits(given), acceptor(l.context()) {}

  event_loop& loop;
  std::shared_ptr<request_handler> handler;
  server_limits limits;
  boost::asio::ip::tcp::acceptor acceptor;
  std::unordered_set<server_connection*> open;
  bool stopping = false;
};

/// Serves one accepted socket until it ends.
boost::asio::awaitable<void> serve_connection(std::shared_ptr<http_server::state> server,
                                              boost::asio::ip::tcp::socket socket);

}  // namespace throughline::io
