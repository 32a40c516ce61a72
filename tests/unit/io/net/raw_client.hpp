#pragma once
// A client made of a blocking socket: what it sends and expects is bytes, framed here and not by the code under test.

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace throughline::testing {

class raw_client {
 public:
  explicit raw_client(std::uint16_t port, int receive_buffer = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const timeval longest{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof longest);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof longest);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0) throw std::runtime_error("connect");
  }
  ~raw_client() { end(); }
  raw_client(const raw_client&) = delete;
  raw_client& operator=(const raw_client&) = delete;

  void end() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// True once the other side's kernel has all that was sent; false after 10 s.
  bool delivered() const {
    for (int left = 10'000; left > 0; --left) {
      int unacknowledged = 0;
      if (::ioctl(fd_, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0) return true;
      ::poll(nullptr, 0, 1);
    }
    return false;
  }

  /// False at the end of the stream, or after 10 s.
  bool fill() {
    char chunk[65536];
    const auto n = ::recv(fd_, chunk, sizeof chunk, 0);
    if (n <= 0) return false;
    buffer_.append(chunk, static_cast<std::size_t>(n));
    return true;
  }

  std::string take(std::size_t bytes) {
    while (buffer_.size() < bytes) {
      if (!fill()) return {};
    }
    auto out = buffer_.substr(0, bytes);
    buffer_.erase(0, bytes);
    return out;
  }

  /// Up to and with `mark`; what came when the stream ended before.
  std::string take_until(std::string_view mark) {
    for (;;) {
      const auto at = buffer_.find(mark);
      if (at != std::string::npos) return take(at + mark.size());
      if (!fill()) return take(buffer_.size());
    }
  }

  /// Everything until the server ends the connection.
  std::string take_all() {
    while (fill()) {
    }
    return take(buffer_.size());
  }

  /// Head and body (by Content-Length).
  std::string response(bool with_body = true) {
    auto head = take_until("\r\n\r\n");
    const auto at = head.find("Content-Length: ");
    if (at == std::string::npos || !with_body) return head;
    return head + take(std::stoul(head.substr(at + 16)));
  }

  // WebSocket, client side.
  std::string upgrade(const std::string& target = "/", const std::string& more = "") {
    send("GET " + target +
         " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
         more + "\r\n");
    return response();
  }

  static std::string frame(unsigned opcode, std::string_view payload, bool fin = true) {
    std::string out;
    out.push_back(static_cast<char>((fin ? 0x80 : 0) | opcode));
    if (payload.size() < 126) {
      out.push_back(static_cast<char>(0x80 | payload.size()));
    } else {
      const bool small = payload.size() < 65536;
      out.push_back(static_cast<char>(0x80 | (small ? 126 : 127)));
      for (int shift = small ? 8 : 56; shift >= 0; shift -= 8)
        out.push_back(static_cast<char>(payload.size() >> shift));
    }
    const std::string mask = "\x12\x34\x56\x78";
    out += mask;
    for (std::size_t i = 0; i < payload.size(); ++i) out.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
    return out;
  }
  bool send_text(std::string_view text) { return send(frame(1, text)); }

  struct received {
    unsigned opcode = 0;
    std::string payload;
    std::uint16_t close_code() const {
      if (payload.size() < 2) return 1005;
      return static_cast<std::uint16_t>((static_cast<unsigned char>(payload[0]) << 8) |
                                        static_cast<unsigned char>(payload[1]));
    }
    std::string close_reason() const { return payload.size() < 2 ? "" : payload.substr(2); }
  };

  std::optional<received> next_frame() {
    const auto head = take(2);
    if (head.size() < 2) return std::nullopt;
    std::uint64_t length = static_cast<unsigned char>(head[1]);
    if (length >= 126) {
      const auto bytes = take(length == 126 ? 2 : 8);
      length = 0;
      for (const char c : bytes) length = length << 8 | static_cast<unsigned char>(c);
    }
    received out{static_cast<unsigned>(head[0] & 0x0f), take(length)};
    if (out.payload.size() != length) return std::nullopt;
    return out;
  }

  /// The next frame that is no ping; pings are not answered.
  std::optional<received> next_data() {
    for (;;) {
      auto got = next_frame();
      if (!got || got->opcode != 9) return got;
    }
  }

 private:
  int fd_;
  std::string buffer_;
};

}  // namespace throughline::testing
