#pragma once
// HTTP requests and responses as values, and the stream behind a response that goes on (server-sent events).

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace throughline::io {

using http_headers = std::vector<std::pair<std::string, std::string>>;

struct http_request {
  std::string method;  ///< as sent, e.g. GET; HEAD comes as HEAD, and its body is not sent
  std::string path;    ///< as sent, without the query
  /// The path's parts between slashes, percent-decoded: /api/v1/a%20b -> {"api", "v1", "a b"}. A trailing slash makes a
  /// last empty one.
  std::vector<std::string> segments;
  std::vector<std::pair<std::string, std::string>> query;  ///< decoded, in order, `+` is a blank
  http_headers headers;                                    ///< as sent, in order
  std::string body;
  std::string remote;  ///< address:port of the peer

  /// The first header of that name (case does not count), or "".
  std::string_view header(std::string_view name) const;
  /// The first query parameter of that name, or empty.
  std::optional<std::string_view> parameter(std::string_view name) const;
};

struct http_response {
  int status = 200;
  http_headers headers;                     ///< Content-Length, Connection and Date are added by the server
  std::shared_ptr<const std::string> body;  ///< may be null; shared by many responses without a copy
  bool last = false;                        ///< the connection ends with it: the next request may go elsewhere

  /// The response with a JSON body.
  static http_response json(int status, std::string body);
  /// {"error":{"code":...,"message":...}} (design 5.3).
  static http_response failure(int status, std::string_view code, std::string_view message);
};

/// What became of something given to a connection that writes when it can.
enum class send_verdict {
  queued,
  full,   ///< the bound of the queue is reached: nothing was taken
  closed  ///< the connection has ended or is ending: nothing was taken
};

/// The body of a response that goes on: chunks in, in order, bounded. Made by a handler, kept by who writes, pumped by
/// the connection. Loop's thread only. A chunk is refused when the queue already holds the bound, so that one of any
/// size fits into an empty queue.
class event_stream {
 public:
  explicit event_stream(std::size_t queue_bytes_max = 1u << 20, std::size_t queue_chunks_max = 256);

  [[nodiscard]] send_verdict write(std::shared_ptr<const std::string> chunk);
  void finish();  ///< after what is queued the response ends; nothing more is taken
  void cut();     ///< ends the connection with what is queued, where it has not ended yet
  bool closed() const { return closed_; }
  std::size_t queued_bytes() const { return bytes_; }
  std::size_t queued_chunks() const { return chunks_.size(); }
  /// Called once, when the client is gone or the response has ended; at once when it has.
  void on_closed(std::function<void()> callback);
  /// Called after each refusal by `full`, when the queue is empty again.
  void on_writable(std::function<void()> callback);

  // For the connection.
  using chunk_list = std::vector<std::shared_ptr<const std::string>>;
  chunk_list take();  ///< up to 16 chunks; they count as queued until `taken_written`
  void taken_written(const chunk_list& written);
  bool finished() const { return finished_; }
  void close();  ///< the connection has ended
  void on_work(std::function<void()> callback) { work_ = std::move(callback); }
  void on_cut(std::function<void()> callback) { cut_ = std::move(callback); }

 private:
  std::size_t bytes_max_;
  std::size_t chunks_max_;
  std::deque<std::shared_ptr<const std::string>> chunks_;
  std::size_t bytes_ = 0;
  bool refused_ = false;
  bool finished_ = false;
  bool closed_ = false;
  std::function<void()> closed_callback_;
  std::function<void()> writable_callback_;
  std::function<void()> work_;
  std::function<void()> cut_;
};

/// A response without an end of its own: written through `body` until `finish`, or until the client goes. The
/// connection ends with it.
struct stream_response {
  int status = 200;
  http_headers headers;  ///< e.g. Content-Type: text/event-stream
  std::shared_ptr<event_stream> body;
};

using http_result = std::variant<http_response, stream_response>;

/// True iff these are one header name: case does not count.
bool is_same_name(std::string_view a, std::string_view b);

/// A request's target taken apart: path, segments and query of http_request; an absolute target's authority becomes
/// its Host. False when it is neither origin form nor absolute form, or when its query has a broken percent code or
/// decodes to a NUL. A segment with such a fault becomes a single NUL, which names nothing: who knows the path answers
/// it in its own order of checks.
bool parse_target(std::string_view target, http_request& into);

}  // namespace throughline::io
