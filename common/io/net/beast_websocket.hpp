#pragma once
// The WebSocket on Beast. Private to common/io/net: shows Beast's types to http_connection.cpp only.

#include <chrono>
#include <deque>
#include <optional>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "common/io/net/counted_socket.hpp"
#include "common/io/net/websocket.hpp"

namespace throughline::io {

class beast_websocket final : public websocket, public std::enable_shared_from_this<beast_websocket> {
 public:
  using clock = std::chrono::steady_clock;
  using upgrade_request = boost::beast::http::request<boost::beast::http::empty_body>;

  beast_websocket(boost::asio::ip::tcp::socket socket, socket_limits limits, std::string remote);

  /// Writes the 101; false when that failed. First of all, once.
  boost::asio::awaitable<bool> accept(upgrade_request request, std::string subprotocol);
  void cut();  ///< ends without a word
  boost::asio::awaitable<void> wait_ended();

  boost::asio::awaitable<std::expected<socket_frame, socket_end>> read() override;
  send_verdict send(shared_text text) override { return send(std::move(text), {}); }
  send_verdict send(shared_text text, std::function<void(bool)> done) override;
  std::size_t queued_bytes() const override { return queued_bytes_; }
  std::size_t queued_frames() const override { return queue_.size(); }
  void on_writable(std::function<void()> callback) override { writable_ = std::move(callback); }
  clock::time_point last_write_progress() const override;
  void close(std::uint16_t code, std::string reason) override;
  void close_and_hear(std::uint16_t code, std::string reason) override;
  bool closing() const override { return closing_ || ended_; }
  void on_ended(std::function<void(socket_end)> callback) override;
  std::string remote() const override { return remote_; }

 private:
  struct outbound {
    shared_text text;
    std::function<void(bool)> done;
  };
  using socket_type = boost::beast::websocket::stream<counted_socket>;

  boost::asio::awaitable<std::expected<socket_frame, socket_end>> read_message();
  socket_end end_of(const boost::system::error_code& fault);
  void write_next();
  void written(const boost::system::error_code& fault);
  void start_close();
  bool say_close();
  void linger();
  void end(socket_end why);
  static boost::asio::awaitable<void> keep(std::shared_ptr<beast_websocket> self);
  void ping();
  clock::time_point idle_deadline() const;  ///< never, while nobody reads

  socket_type socket_;
  socket_limits limits_;
  std::string remote_;
  boost::asio::steady_timer keeper_;
  boost::asio::steady_timer deadline_;  ///< of the 101, later of the close
  boost::asio::steady_timer over_;      ///< wakes wait_ended
  std::deque<outbound> queue_;          ///< the front one is being written while writing_
  std::size_t queued_bytes_ = 0;
  bool writing_ = false;
  bool refused_ = false;
  bool pinging_ = false;
  bool reading_ = false;
  clock::time_point reading_since_{};
  clock::time_point queue_empty_at_{};
  bool closing_ = false;
  bool close_sent_ = false;
  bool hearing_ = false;  ///< closing, and what the peer says is still read
  boost::beast::websocket::close_reason close_with_;
  std::optional<socket_end> ended_;
  std::vector<std::function<void(socket_end)>> ended_callbacks_;
  std::function<void()> writable_;
};

}  // namespace throughline::io
