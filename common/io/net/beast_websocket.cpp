#include "common/io/net/beast_websocket.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/websocket.hpp>

namespace throughline::io {
namespace {

namespace asio = boost::asio;
namespace beast_ws = boost::beast::websocket;
using boost::system::error_code;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
/// For the 101 to leave.
constexpr std::chrono::seconds accept_wait{10};
/// For the peer's end of the TCP connection, after the close frames.
constexpr std::chrono::seconds linger_wait{1};
/// Most that one read asks for beyond what has come: bounds what a frame above the limit can make us hold.
constexpr std::size_t read_step = 64u << 10;
/// A timer this late means the process stood still: nobody was reading.
constexpr std::chrono::seconds standstill{2};

}  // namespace

beast_websocket::beast_websocket(asio::ip::tcp::socket socket, socket_limits limits, std::string remote)
    : socket_(counted_socket(std::move(socket))),
      limits_(limits),
      remote_(std::move(remote)),
      keeper_(socket_.get_executor()),
      deadline_(socket_.get_executor()),
      over_(socket_.get_executor()),
      queue_empty_at_(clock::now()) {
  over_.expires_at(clock::time_point::max());
  socket_.auto_fragment(false);   // one message is one frame, written from the shared buffer itself
  socket_.read_message_max(0);    // read_message has the limit: Beast's own gives no reason
  socket_.write_buffer_bytes(8);  // not used for unmasked whole frames
  socket_.text(true);
}

asio::awaitable<bool> beast_websocket::accept(upgrade_request request, std::string subprotocol) {
  const auto self = shared_from_this();
  socket_.set_option(beast_ws::stream_base::decorator([subprotocol](beast_ws::response_type& response) {
    // Beast names itself where nobody else is named.
    response.set(boost::beast::http::field::server, "throughline");
    if (!subprotocol.empty()) response.set(boost::beast::http::field::sec_websocket_protocol, subprotocol);
  }));
  deadline_.expires_after(accept_wait);
  deadline_.async_wait([self](error_code fault) {
    if (!fault) self->cut();
  });
  const auto [fault] = co_await socket_.async_accept(request, as_result);
  deadline_.cancel();
  if (fault || ended_) {
    end({socket_end_reason::lost, 1006});
    co_return false;
  }
  socket_.next_layer().on_teardown([weak = weak_from_this()] {
    if (const auto alive = weak.lock()) alive->linger();
  });
  asio::co_spawn(socket_.get_executor(), keep(self), asio::detached);
  co_return true;
}

void beast_websocket::cut() {
  end({closing_ ? socket_end_reason::closed_by_us : socket_end_reason::lost,
       close_sent_ ? close_with_.code : std::uint16_t{1006}});
}

asio::awaitable<void> beast_websocket::wait_ended() {
  const auto self = shared_from_this();
  if (!ended_) co_await over_.async_wait(as_result);
}

asio::awaitable<std::expected<socket_frame, socket_end>> beast_websocket::read() {
  const auto self = shared_from_this();
  if (!ended_ && (!closing_ || hearing_)) {
    reading_ = true;
    reading_since_ = clock::now();
    auto got = co_await read_message();
    reading_ = false;
    if (got || !ended_) co_return got;
  }
  if (ended_) co_return std::unexpected(*ended_);
  co_return std::unexpected(socket_end{socket_end_reason::closed_by_us, close_with_.code});
}

asio::awaitable<std::expected<socket_frame, socket_end>> beast_websocket::read_message() {
  socket_frame frame;
  auto buffer = asio::dynamic_buffer(frame.data);
  for (;;) {
    const auto [fault, bytes] = co_await socket_.async_read_some(buffer, read_step, as_result);
    if (fault) {
      const auto why = end_of(fault);
      if (!closing_ || hearing_) end(why);
      co_return std::unexpected(why);
    }
    if (frame.data.size() > limits_.message_bytes_max) {
      if (hearing_) end({socket_end_reason::closed_by_us, close_with_.code});
      close(beast_ws::close_code::too_big, "message above " + std::to_string(limits_.message_bytes_max) + " bytes");
      co_return std::unexpected(socket_end{socket_end_reason::too_big, beast_ws::close_code::too_big});
    }
    if (socket_.is_message_done()) break;
  }
  frame.text = socket_.got_text();
  co_return frame;
}

socket_end beast_websocket::end_of(const error_code& fault) {
  if (closing_) return {socket_end_reason::closed_by_us, close_with_.code};
  if (fault == beast_ws::error::closed) {
    const auto code = socket_.reason().code;
    return {socket_end_reason::closed_by_peer, code == beast_ws::close_code::none ? std::uint16_t{1005} : code};
  }
  if (fault == beast_ws::error::bad_frame_payload) return {socket_end_reason::invalid_utf8, 1007};
  if (fault == beast_ws::condition::protocol_violation) return {socket_end_reason::protocol_error, 1002};
  return {socket_end_reason::lost, 1006};
}

send_verdict beast_websocket::send(shared_text text, std::function<void(bool)> done) {
  if (closing()) return send_verdict::closed;
  if (queued_bytes_ >= limits_.queue_bytes_max || queue_.size() >= limits_.queue_frames_max) {
    refused_ = true;
    return send_verdict::full;
  }
  if (queue_.empty()) queue_empty_at_ = clock::now();
  queued_bytes_ += text->size();
  queue_.push_back({std::move(text), std::move(done)});
  write_next();
  return send_verdict::queued;
}

void beast_websocket::write_next() {
  if (writing_ || ended_ || queue_.empty()) return;
  writing_ = true;
  socket_.async_write(asio::buffer(*queue_.front().text),
                      [self = shared_from_this()](error_code fault, std::size_t) { self->written(fault); });
}

void beast_websocket::written(const error_code& fault) {
  writing_ = false;
  if (ended_) return;
  if (fault) return end(end_of(fault));
  auto front = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= front.text->size();
  if (front.done) front.done(true);
  if (!queue_.empty()) return write_next();
  queue_empty_at_ = clock::now();
  if (closing_) return start_close();
  if (std::exchange(refused_, false) && writable_) {
    const auto callback = writable_;  // it may replace itself
    callback();
  }
}

beast_websocket::clock::time_point beast_websocket::last_write_progress() const {
  return queue_.empty() ? clock::now() : std::max(queue_empty_at_, socket_.next_layer().last_written());
}

void beast_websocket::close(std::uint16_t code, std::string reason) {
  if (closing()) return;
  closing_ = true;
  close_with_.code = code;
  close_with_.reason.assign(reason.data(), std::min<std::size_t>(reason.size(), 123));
  deadline_.expires_after(limits_.close_wait);
  deadline_.async_wait([self = shared_from_this()](error_code fault) {
    if (!fault) self->cut();
  });
  if (queue_.empty()) start_close();
}

void beast_websocket::close_and_hear(std::uint16_t code, std::string reason) {
  if (closing()) return;
  hearing_ = true;
  close(code, std::move(reason));
}

/// The close frame without Beast, which reads nothing any more once it has written one. False: there was no room.
bool beast_websocket::say_close() {
  std::string frame{static_cast<char>(0x88), static_cast<char>(2 + close_with_.reason.size())};
  frame += static_cast<char>(close_with_.code >> 8);
  frame += static_cast<char>(close_with_.code & 0xff);
  frame.append(close_with_.reason.data(), close_with_.reason.size());
  const auto said = socket_.next_layer().say_last(frame);
  if (said == counted_socket::last_word::broken) {
    asio::post(socket_.get_executor(),
               [self = shared_from_this()] { self->end({socket_end_reason::closed_by_us, 1006}); });
  }
  return said != counted_socket::last_word::no_room;
}

void beast_websocket::start_close() {
  if (std::exchange(close_sent_, true)) return;
  if (hearing_ && say_close()) return;
  hearing_ = false;
  socket_.async_close(close_with_, [self = shared_from_this()](error_code) {
    self->end({socket_end_reason::closed_by_us, self->close_with_.code});
  });
}

void beast_websocket::linger() {
  deadline_.expires_after(linger_wait);
  deadline_.async_wait([self = shared_from_this()](error_code fault) {
    error_code ignored;
    if (!fault) self->socket_.next_layer().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  });
}

void beast_websocket::on_ended(std::function<void(socket_end)> callback) {
  if (ended_) {
    callback(*ended_);
  } else {
    ended_callbacks_.push_back(std::move(callback));
  }
}

void beast_websocket::end(socket_end why) {
  if (ended_) return;
  const auto self = shared_from_this();
  ended_ = why;
  error_code ignored;
  socket_.next_layer().close(ignored);
  keeper_.cancel();
  deadline_.cancel();
  over_.cancel();
  over_.expires_at(clock::time_point::min());
  const auto undone = std::exchange(queue_, {});
  queued_bytes_ = 0;
  writable_ = {};
  for (const auto& one : undone) {
    if (one.done) one.done(false);
  }
  for (const auto& callback : std::exchange(ended_callbacks_, {})) callback(why);
}

asio::awaitable<void> beast_websocket::keep(std::shared_ptr<beast_websocket> self) {
  auto next_ping = clock::now() + self->limits_.ping_every;
  while (!self->ended_) {
    const auto due = std::min(next_ping, self->idle_deadline());
    self->keeper_.expires_at(due);
    co_await self->keeper_.async_wait(as_result);
    if (self->ended_) co_return;
    const auto now = clock::now();
    if (now - due > standstill) self->reading_since_ = now;
    if (now >= self->idle_deadline()) co_return self->end({socket_end_reason::idle, 1006});
    if (now < next_ping) continue;
    self->ping();
    next_ping = now + self->limits_.ping_every;
  }
}

beast_websocket::clock::time_point beast_websocket::idle_deadline() const {
  if (!reading_) return clock::time_point::max();
  return std::max(reading_since_, socket_.next_layer().last_read()) + limits_.idle_max;
}

void beast_websocket::ping() {
  if (closing() || std::exchange(pinging_, true)) return;
  socket_.async_ping({}, [self = shared_from_this()](error_code fault) {
    self->pinging_ = false;
    if (fault && !self->closing()) self->end({socket_end_reason::lost, 1006});
  });
}

}  // namespace throughline::io
