#include "common/io/net/http_server.hpp"

#include <algorithm>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sys/resource.h>

#include "common/io/net/server_state.hpp"

namespace throughline::io {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
/// After an accept failed for want of descriptors or memory.
constexpr std::chrono::milliseconds accept_pause{100};

using reuse_port_option = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

asio::awaitable<void> accept_loop(std::shared_ptr<http_server::state> server) {
  while (!server->stopping) {
    auto [fault, socket] = co_await server->acceptor.async_accept(as_result);
    if (fault == asio::error::operation_aborted) co_return;
    if (fault) {
      co_await sleep_for(accept_pause);
    } else if (server->open.size() < server->limits.connections_max) {
      server->loop.spawn(serve_connection(server, std::move(socket)));
    }
  }
}

/// Those whose connection the kernel has made already: closing the acceptor would reset them.
void take_those_waiting(const std::shared_ptr<http_server::state>& server) {
  error_code fault;
  server->acceptor.non_blocking(true, fault);
  while (!fault && server->open.size() < server->limits.connections_max) {
    tcp::socket socket(server->loop.context());
    server->acceptor.accept(socket, fault);
    if (!fault) server->loop.spawn(serve_connection(server, std::move(socket)));
  }
}

result<tcp::endpoint> resolve(asio::io_context& loop, const std::string& host, std::uint16_t port) {
  error_code fault;
  const auto address = asio::ip::make_address(host.empty() ? "0.0.0.0" : host, fault);
  if (!fault) return tcp::endpoint(address, port);
  tcp::resolver resolver(loop);
  const auto found = resolver.resolve(host, std::to_string(port), fault);
  if (fault || found.empty()) return fail("listen_failed", "cannot resolve " + host + ": " + fault.message());
  return found.begin()->endpoint();
}

error_code open_acceptor(tcp::acceptor& acceptor, const tcp::endpoint& where, bool reuse_port) {
  error_code fault;
  if (acceptor.open(where.protocol(), fault); fault) return fault;
  if (acceptor.set_option(tcp::acceptor::reuse_address(true), fault); fault) return fault;
  if (reuse_port) {
    if (acceptor.set_option(reuse_port_option(true), fault); fault) return fault;
  }
  if (acceptor.bind(where, fault); fault) return fault;
  acceptor.listen(asio::socket_base::max_listen_connections, fault);
  return fault;
}

}  // namespace

http_server::http_server(event_loop& loop, std::shared_ptr<request_handler> handler, server_limits limits)
    : state_(std::make_shared<state>(loop, std::move(handler), limits)) {}

http_server::~http_server() {
  stop_accepting();
  cut_all();
}

result<std::uint16_t> http_server::listen(const std::string& host, std::uint16_t port) {
  const auto where = resolve(state_->loop.context(), host, port);
  if (!where) return std::unexpected(where.error());
  if (const auto fault = open_acceptor(state_->acceptor, *where, state_->limits.reuse_port)) {
    return fail("listen_failed", host + ":" + std::to_string(port) + ": " + fault.message());
  }
  state_->loop.spawn(accept_loop(state_));
  error_code fault;
  return state_->acceptor.local_endpoint(fault).port();
}

void http_server::stop_accepting() {
  if (std::exchange(state_->stopping, true)) return;
  take_those_waiting(state_);
  error_code ignored;
  state_->acceptor.close(ignored);
  const std::vector<server_connection*> all(state_->open.begin(), state_->open.end());
  for (auto* connection : all) connection->end_when_idle();
}

std::size_t http_server::connections() const {
  return state_->open.size();
}

asio::awaitable<bool> http_server::wait_idle(std::chrono::milliseconds longest) {
  const auto server = state_;
  const auto until = event_loop::clock::now() + longest;
  while (!server->open.empty()) {
    if (event_loop::clock::now() >= until) co_return false;
    co_await sleep_for(std::chrono::milliseconds(10));
  }
  co_return true;
}

void http_server::cut_all() {
  const std::vector<server_connection*> all(state_->open.begin(), state_->open.end());
  for (auto* connection : all) connection->cut();
}

std::size_t raise_descriptor_limit(std::size_t kept) {
  constexpr auto most = server_limits{}.connections_max;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return most;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
  const auto files = static_cast<std::size_t>(limit.rlim_cur);
  return files <= 2 * kept ? kept : std::min(most, files - kept);
}

bool offers_protocol(std::string_view offered, std::string_view protocol) {
  while (!offered.empty()) {
    const auto comma = offered.find(',');
    auto part = offered.substr(0, comma);
    offered = comma == std::string_view::npos ? std::string_view{} : offered.substr(comma + 1);
    const auto first = part.find_first_not_of(" \t");
    if (first == std::string_view::npos) continue;
    part = part.substr(first, part.find_last_not_of(" \t") - first + 1);
    if (part == protocol) return true;
  }
  return false;
}

}  // namespace throughline::io
