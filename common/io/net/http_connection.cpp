// One accepted connection: requests one after another, until it ends, becomes a stream, or becomes a WebSocket.

#include <array>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>

#include "common/io/net/beast_websocket.hpp"
#include "common/io/net/response_head.hpp"
#include "common/io/net/server_state.hpp"

namespace throughline::io {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t first_read_bytes = 4096;
/// How long, and how much, a refused client may still send before the connection is cut: so that it can read why.
constexpr std::chrono::seconds linger_wait{5};
constexpr std::size_t linger_bytes_max = 64u << 20;
/// For the first request of a connection that was made just before its server stopped.
constexpr std::chrono::milliseconds last_request_wait{500};

using request_parser = http::request_parser<http::string_body>;

class connection final : public server_connection, public std::enable_shared_from_this<connection> {
 public:
  connection(std::shared_ptr<http_server::state> server, tcp::socket socket)
      : server_(std::move(server)), stream_(std::move(socket)) {
    error_code fault;
    stream_.socket().set_option(tcp::no_delay(true), fault);
    const auto peer = stream_.socket().remote_endpoint(fault);
    if (!fault) remote_ = fmt::format("{}:{}", peer.address().to_string(), peer.port());
    server_->open.insert(this);
  }
  ~connection() override { server_->open.erase(this); }

  asio::awaitable<void> run();
  void end_when_idle() override;
  void cut() override;

 private:
  /// False: the connection is over.
  asio::awaitable<bool> serve_one();
  asio::awaitable<bool> wait_for_bytes();
  asio::awaitable<bool> read_request(request_parser& parser);
  bool take_request(const request_parser& parser, http_request& request);
  asio::awaitable<bool> answer(http_request& request, bool keep_alive);
  asio::awaitable<bool> respond(const http_response& response, bool head_only, bool keep_alive);
  asio::awaitable<void> refuse(int status, std::string_view code, std::string_view message);
  asio::awaitable<void> linger();
  asio::awaitable<void> serve_stream(stream_response response);
  /// Reads what a streaming client should not send, to notice that it has gone.
  static asio::awaitable<void> watch_for_end(std::shared_ptr<connection> self, std::shared_ptr<event_stream> body,
                                             std::shared_ptr<notifier> work);
  asio::awaitable<bool> write_chunks(const event_stream::chunk_list& chunks);
  asio::awaitable<void> upgrade(const request_parser& parser, http_request& request);
  asio::awaitable<void> serve_socket(accept_socket granted, beast_websocket::upgrade_request handshake);

  std::shared_ptr<http_server::state> server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::string remote_;
  std::shared_ptr<beast_websocket> socket_;
  bool idle_ = false;
  bool served_ = false;  ///< a request, before the one that is waited for
};

void connection::end_when_idle() {
  error_code fault;
  // Not cut: a request that has been read, and whose handler has not run yet, is answered still.
  if (idle_ && stream_.socket().available(fault) == 0) stream_.cancel();
}

void connection::cut() {
  if (socket_) return socket_->cut();
  error_code ignored;
  stream_.socket().close(ignored);
}

asio::awaitable<void> connection::run() {
  while (co_await serve_one()) {
  }
  if (socket_) co_return;
  error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
}

asio::awaitable<bool> connection::wait_for_bytes() {
  if (buffer_.size() > 0) co_return true;
  // What was sent before the client could know is answered still.
  const auto wait = server_->stopping ? last_request_wait : server_->limits.keep_alive;
  error_code unknown;
  if (server_->stopping && served_ && stream_.socket().available(unknown) == 0) co_return false;
  idle_ = true;
  stream_.expires_after(wait);
  const auto [fault, bytes] = co_await stream_.async_read_some(buffer_.prepare(first_read_bytes), as_result);
  idle_ = false;
  buffer_.commit(bytes);
  co_return !fault;
}

asio::awaitable<bool> connection::serve_one() {
  if (!co_await wait_for_bytes()) co_return false;
  request_parser parser;
  if (!co_await read_request(parser)) co_return false;
  served_ = true;
  http_request request;
  if (!take_request(parser, request)) {
    co_await refuse(400, "bad_request", "the request target cannot be read");
    co_return false;
  }
  stream_.expires_never();
  if (!request.header("Upgrade").empty() && beast::iequals(request.header("Upgrade"), "websocket")) {
    co_await upgrade(parser, request);
    co_return false;
  }
  co_return co_await answer(request, parser.get().keep_alive() && !server_->stopping);
}

asio::awaitable<bool> connection::read_request(request_parser& parser) {
  const auto& limits = server_->limits;
  parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
  parser.body_limit(limits.body_bytes_max);
  stream_.expires_after(limits.header_wait);
  auto [fault, header_bytes] = co_await http::async_read_header(stream_, buffer_, parser, as_result);
  if (!fault && !parser.is_done()) {
    stream_.expires_after(limits.body_wait);
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      co_await asio::async_write(stream_, asio::buffer(go_on), as_result);
    }
    auto [body_fault, body_bytes] = co_await http::async_read(stream_, buffer_, parser, as_result);
    fault = body_fault;
  }
  if (!fault) co_return true;
  if (fault == http::error::body_limit) {
    co_await refuse(413, "too_large", fmt::format("the body is above {} bytes", limits.body_bytes_max));
  } else if (fault == http::error::header_limit || fault == http::error::buffer_overflow) {
    co_await refuse(431, "header_too_large", fmt::format("the header is above {} bytes", limits.header_bytes_max));
  } else if (fault.category() == http::make_error_code(http::error::bad_method).category() &&
             fault != http::error::end_of_stream && fault != http::error::partial_message) {
    co_await refuse(400, "bad_request", "this is not a well-formed HTTP request");
  }
  co_return false;
}

bool connection::take_request(const request_parser& parser, http_request& request) {
  const auto& message = parser.get();
  request.method = message.method_string();
  request.remote = remote_;
  for (const auto& field : message) request.headers.emplace_back(field.name_string(), field.value());
  request.body = message.body();
  return parse_target({message.target().data(), message.target().size()}, request);
}

asio::awaitable<bool> connection::answer(http_request& request, bool keep_alive) {
  http_result result;
  try {
    result = co_await server_->handler->serve(request);
  } catch (const std::exception& e) {
    server_->loop.report_fault(e.what());
    result = http_response::failure(500, "internal", "this request failed");
  }
  const bool head_only = request.method == "HEAD";
  if (auto* stream = std::get_if<stream_response>(&result)) {
    co_await serve_stream(std::move(*stream));
    co_return false;
  }
  const auto& response = std::get<http_response>(result);
  co_return co_await respond(response, head_only, keep_alive && !response.last && !server_->stopping);
}

asio::awaitable<bool> connection::respond(const http_response& response, bool head_only, bool keep_alive) {
  const std::size_t length = response.body ? response.body->size() : 0;
  const auto head = response_head(response.status, response.headers,
                                  {.keep_alive = keep_alive, .length = length, .now = std::time(nullptr)});
  const bool with_body = length > 0 && !head_only && !is_bodiless(response.status);
  const std::array<asio::const_buffer, 2> bytes{asio::buffer(head),
                                                with_body ? asio::buffer(*response.body) : asio::const_buffer()};
  stream_.expires_after(server_->limits.write_wait);
  const auto [fault, written] = co_await asio::async_write(stream_, bytes, as_result);
  co_return !fault && keep_alive;
}

asio::awaitable<void> connection::refuse(int status, std::string_view code, std::string_view message) {
  const auto response = http_response::failure(status, code, message);
  co_await respond(response, false, false);
  co_await linger();
}

asio::awaitable<void> connection::linger() {
  error_code fault;
  stream_.socket().shutdown(tcp::socket::shutdown_send, fault);
  std::array<char, 16 << 10> scrap;
  stream_.expires_after(linger_wait);
  for (std::size_t total = 0; !fault && total < linger_bytes_max;) {
    const auto [read_fault, bytes] = co_await stream_.async_read_some(asio::buffer(scrap), as_result);
    fault = read_fault;
    total += bytes;
  }
}

asio::awaitable<void> connection::watch_for_end(std::shared_ptr<connection> self, std::shared_ptr<event_stream> body,
                                                std::shared_ptr<notifier> work) {
  std::array<char, 256> scrap;
  for (;;) {
    const auto [fault, bytes] = co_await self->stream_.async_read_some(asio::buffer(scrap), as_result);
    if (fault) break;
  }
  body->close();
  work->notify();
}

asio::awaitable<void> connection::serve_stream(stream_response response) {
  const auto body = std::move(response.body);
  const auto work = std::make_shared<notifier>(server_->loop.context());
  body->on_work([work] { work->notify(); });
  body->on_cut([self = weak_from_this()] {
    if (const auto open = self.lock()) open->cut();
  });
  server_->loop.spawn(watch_for_end(shared_from_this(), body, work));
  const auto head = response_head(response.status, response.headers, {.keep_alive = false, .now = std::time(nullptr)});
  stream_.expires_after(server_->limits.write_wait);
  auto [fault, written] = co_await asio::async_write(stream_, asio::buffer(head), as_result);
  bool good = !fault;
  while (good && !body->closed()) {
    const auto chunks = body->take();
    if (!chunks.empty()) {
      good = co_await write_chunks(chunks);
      body->taken_written(chunks);
    } else if (body->finished()) {
      static constexpr std::string_view last = "0\r\n\r\n";
      co_await asio::async_write(stream_, asio::buffer(last), as_result);
      break;
    } else {
      co_await work->wait();
    }
  }
  body->close();
}

asio::awaitable<bool> connection::write_chunks(const event_stream::chunk_list& chunks) {
  std::vector<std::string> sizes;
  std::vector<asio::const_buffer> bytes;
  sizes.reserve(chunks.size());
  for (const auto& chunk : chunks) {
    sizes.push_back(fmt::format("{:x}\r\n", chunk->size()));
    bytes.push_back(asio::buffer(sizes.back()));
    bytes.push_back(asio::buffer(*chunk));
    bytes.push_back(asio::buffer("\r\n", 2));
  }
  stream_.expires_after(server_->limits.write_wait);
  const auto [fault, written] = co_await asio::async_write(stream_, bytes, as_result);
  co_return !fault;
}

asio::awaitable<void> connection::upgrade(const request_parser& parser, http_request& request) {
  const auto& message = parser.get();
  if (message.method() != http::verb::get || message.version() != 11 ||
      !http::token_list(message["Connection"]).exists("upgrade") || message["Sec-WebSocket-Key"].empty() ||
      buffer_.size() > 0) {
    co_return co_await refuse(400, "bad_upgrade", "this is not a well-formed WebSocket upgrade");
  }
  if (message["Sec-WebSocket-Version"] != "13") {
    http_response response = http_response::failure(426, "bad_upgrade", "WebSocket version 13 is spoken here");
    response.headers.emplace_back("Sec-WebSocket-Version", "13");
    co_await respond(response, false, false);
    co_return;
  }
  upgrade_result result;
  try {
    result = co_await server_->handler->upgrade(request);
  } catch (const std::exception& e) {
    server_->loop.report_fault(e.what());
    result = http_response::failure(500, "internal", "this request failed");
  }
  if (const auto* response = std::get_if<http_response>(&result)) {
    co_await respond(*response, false, false);
    co_return;
  }
  beast_websocket::upgrade_request handshake{http::verb::get, message.target(), 11};
  for (const auto& field : message) handshake.insert(field.name_string(), field.value());
  if (auto* told = std::get_if<accept_and_close>(&result)) {
    accept_socket granted{.subprotocol = told->subprotocol};
    granted.run = [code = told->code,
                   reason = told->reason](std::shared_ptr<websocket> socket) -> asio::awaitable<void> {
      socket->close(code, reason);
      co_return;
    };
    co_return co_await serve_socket(std::move(granted), std::move(handshake));
  }
  co_await serve_socket(std::move(std::get<accept_socket>(result)), std::move(handshake));
}

asio::awaitable<void> connection::serve_socket(accept_socket granted, beast_websocket::upgrade_request handshake) {
  socket_ = std::make_shared<beast_websocket>(stream_.release_socket(), granted.limits, remote_);
  const bool accepted = co_await socket_->accept(std::move(handshake), granted.subprotocol);
  if (!accepted) {
    if (granted.failed) granted.failed();
    co_return;
  }
  try {
    co_await granted.run(socket_);
  } catch (const std::exception& e) {
    server_->loop.report_fault(e.what());
    socket_->close(1011, "internal error");
  }
  socket_->close(1000, "");
  co_await socket_->wait_ended();
}

}  // namespace

asio::awaitable<void> serve_connection(std::shared_ptr<http_server::state> server, tcp::socket socket) {
  const auto one = std::make_shared<connection>(std::move(server), std::move(socket));
  co_await one->run();
}

}  // namespace throughline::io
