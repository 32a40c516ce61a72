#pragma once
// One accepted WebSocket, server side. Loop's thread only; it must not outlive the loop. What is underneath can change
// without its users noticing.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "common/io/net/http.hpp"

namespace throughline::io {

struct socket_limits {
  std::size_t message_bytes_max = 8u << 20;  ///< inbound; a larger one closes with 1009
  std::size_t queue_bytes_max = 1u << 20;    ///< outbound, not yet written
  std::size_t queue_frames_max = 256;
  std::chrono::milliseconds ping_every{15'000};
  std::chrono::milliseconds idle_max{45'000};   ///< without a byte from the peer, while somebody reads
  std::chrono::milliseconds close_wait{5'000};  ///< for what is queued and for the peer's close frame, then the end
};

struct socket_frame {
  bool text = true;  ///< false: binary
  std::string data;
};

/// Why no further frame comes.
enum class socket_end_reason {
  closed_by_peer,  ///< with `code` (1005: none given)
  closed_by_us,    ///< `close` was called
  too_big,         ///< above message_bytes_max; closed with 1009
  invalid_utf8,    ///< closed with 1007
  protocol_error,  ///< broken framing; closed with 1002
  idle,            ///< no byte for idle_max; the connection is cut
  lost             ///< the connection broke
};
struct socket_end {
  socket_end_reason why = socket_end_reason::lost;
  std::uint16_t code = 1006;  ///< what the socket was closed with, 1006: without a close frame
};

class websocket {
 public:
  using shared_text = std::shared_ptr<const std::string>;
  virtual ~websocket() = default;

  /// The next whole message. One reader at a time. Not calling it is what pauses reading: the peer is held back by TCP,
  /// and the idle clock stands still. After an end every call gives that end.
  virtual boost::asio::awaitable<std::expected<socket_frame, socket_end>> read() = 0;

  /// Takes a text frame (valid UTF-8) for the one writer; the buffer is shared, never copied. Refused `full` when the
  /// queue already holds a bound of the limits, so that one frame of any size fits below it.
  [[nodiscard]] virtual send_verdict send(shared_text text) = 0;
  /// The same; if it was queued, `done` is called once: true when its last byte was given to the kernel, false when the
  /// socket ended before that (a frame cut short has no effect at the peer).
  [[nodiscard]] virtual send_verdict send(shared_text text, std::function<void(bool written)> done) = 0;

  virtual std::size_t queued_bytes() const = 0;  ///< what is being written included
  virtual std::size_t queued_frames() const = 0;
  /// Called after each refusal by `full`, when the queue is empty again.
  virtual void on_writable(std::function<void()> callback) = 0;
  /// The last time the kernel took bytes of this socket, or the queue was empty.
  virtual std::chrono::steady_clock::time_point last_write_progress() const = 0;

  /// Writes what is queued, then a close frame, waits for the peer's, ends the connection; within close_wait. Nothing
  /// is taken from now on. The first call counts. `reason`: at most 123 bytes are sent.
  virtual void close(std::uint16_t code, std::string reason) = 0;
  /// The same, but `read` goes on giving what the peer says before its own close frame: nothing that it sent before it
  /// knew is lost. (Not where the connection has no room for our close frame: then it is `close`.)
  virtual void close_and_hear(std::uint16_t code, std::string reason) = 0;
  /// No more frames are taken: closing or closed.
  virtual bool closing() const = 0;
  /// Called once when the connection has ended, whoever ended it; at once when it has.
  virtual void on_ended(std::function<void(socket_end)> callback) = 0;

  virtual std::string remote() const = 0;
};

}  // namespace throughline::io
