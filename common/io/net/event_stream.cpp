#include <algorithm>

#include "common/io/net/http.hpp"

namespace throughline::io {

event_stream::event_stream(std::size_t queue_bytes_max, std::size_t queue_chunks_max)
    : bytes_max_(queue_bytes_max), chunks_max_(queue_chunks_max) {}

send_verdict event_stream::write(std::shared_ptr<const std::string> chunk) {
  if (closed_ || finished_) return send_verdict::closed;
  if (bytes_ >= bytes_max_ || chunks_.size() >= chunks_max_) {
    refused_ = true;
    return send_verdict::full;
  }
  if (chunk->empty()) return send_verdict::queued;  // an empty chunk would end a chunked body
  bytes_ += chunk->size();
  chunks_.push_back(std::move(chunk));
  if (work_) work_();
  return send_verdict::queued;
}

void event_stream::finish() {
  finished_ = true;
  if (work_) work_();
}

void event_stream::cut() {
  if (cut_) cut_();
}

void event_stream::on_closed(std::function<void()> callback) {
  if (closed_) {
    callback();
  } else {
    closed_callback_ = std::move(callback);
  }
}

void event_stream::on_writable(std::function<void()> callback) {
  writable_callback_ = std::move(callback);
}

event_stream::chunk_list event_stream::take() {
  const auto count = std::min<std::size_t>(chunks_.size(), 16);
  return {chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(count)};
}

void event_stream::taken_written(const chunk_list& written) {
  if (closed_) return;
  for (const auto& chunk : written) bytes_ -= chunk->size();
  chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(written.size()));
  if (!chunks_.empty() || !std::exchange(refused_, false) || !writable_callback_) return;
  const auto callback = writable_callback_;  // it may replace itself
  callback();
}

void event_stream::close() {
  if (std::exchange(closed_, true)) return;
  chunks_.clear();
  bytes_ = 0;
  work_ = {};
  cut_ = {};
  writable_callback_ = {};
  if (auto callback = std::exchange(closed_callback_, {})) callback();
}

}  // namespace throughline::io
