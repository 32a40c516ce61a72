#pragma once
// A TCP socket that knows when bytes last went through it, for the idle clock and for laggards, and that can say a last
// word and still be read. Private to common/io/net.

#include <cerrno>
#include <chrono>
#include <functional>
#include <string_view>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <sys/socket.h>

namespace throughline::io {

class counted_socket : public boost::asio::ip::tcp::socket {
 public:
  using clock = std::chrono::steady_clock;
  using base = boost::asio::ip::tcp::socket;

  explicit counted_socket(base socket) : base(std::move(socket)), last_read_(clock::now()), last_written_(last_read_) {}

  clock::time_point last_read() const { return last_read_; }
  clock::time_point last_written() const { return last_written_; }

  /// Called when Beast begins to wait for the peer's end of the TCP connection, for which it has no bound.
  void on_teardown(std::function<void()> callback) { teardown_ = std::move(callback); }
  void tearing_down() {
    if (teardown_) teardown_();
  }

  enum class last_word { said, no_room, broken };
  /// Writes `bytes` at once and whole, between two writes; whatever is written afterwards goes nowhere. `no_room`:
  /// nothing was written and nothing has changed.
  last_word say_last(std::string_view bytes) {
    if (writing_) return last_word::no_room;
    const auto n = ::send(native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? last_word::no_room : last_word::broken;
    muted_ = true;
    last_written_ = clock::now();
    return static_cast<std::size_t>(n) == bytes.size() ? last_word::said : last_word::broken;
  }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_compose<Token, signature>(operation<true, Buffers>{this, buffers}, token,
                                                        static_cast<base&>(*this));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_compose<Token, signature>(operation<false, Buffers>{this, buffers}, token,
                                                        static_cast<base&>(*this));
  }

 private:
  using signature = void(boost::system::error_code, std::size_t);

  template <bool Reads, class Buffers>
  struct operation {
    counted_socket* socket;
    Buffers buffers;

    template <class Self>
    void operator()(Self& self) {
      base& plain = *socket;
      if constexpr (Reads) {
        plain.async_read_some(buffers, std::move(self));
      } else if (socket->muted_) {
        const auto bytes = boost::asio::buffer_size(buffers);
        boost::asio::post(plain.get_executor(),
                          [self = std::move(self), bytes]() mutable { self.complete({}, bytes); });
      } else {
        socket->writing_ = true;
        plain.async_write_some(buffers, std::move(self));
      }
    }
    template <class Self>
    void operator()(Self& self, boost::system::error_code fault, std::size_t bytes) {
      if constexpr (!Reads) socket->writing_ = false;
      if (bytes > 0) (Reads ? socket->last_read_ : socket->last_written_) = clock::now();
      self.complete(fault, bytes);
    }
  };

  clock::time_point last_read_;
  clock::time_point last_written_;
  bool writing_ = false;
  bool muted_ = false;
  std::function<void()> teardown_;
};

/// Beast's closing of the TCP connection, found by argument.
template <class Handler>
void async_teardown(boost::beast::role_type role, counted_socket& socket, Handler&& handler) {
  socket.tearing_down();
  boost::beast::websocket::async_teardown(role, static_cast<counted_socket::base&>(socket),
                                          std::forward<Handler>(handler));
}

}  // namespace throughline::io
