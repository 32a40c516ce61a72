#pragma once
// Frames that wait for room in one socket's queue, in order; and whether its client may say more meanwhile (G8).

#include <cstddef>
#include <deque>
#include <utility>

#include "common/replay/live_event.hpp"

namespace throughline::gateway {

class owed_frames {
 public:
  /// What a client's own frames may leave owed before no further one is read.
  static constexpr std::size_t answers_max = 64;
  static constexpr std::size_t answer_bytes_max = std::size_t{256} << 10;

  bool empty() const { return frames_.empty(); }
  const replay::shared_text& front() const { return frames_.front().text; }
  bool may_read() const { return answers_ < answers_max && answer_bytes_ < answer_bytes_max; }

  void add(replay::shared_text text, bool is_answer) {
    count(text->size(), is_answer);
    frames_.push_back({std::move(text), is_answer});
  }
  void remove_front() {
    const auto& first = frames_.front();
    if (first.is_answer) {
      --answers_;
      answer_bytes_ -= first.text->size();
    }
    frames_.pop_front();
  }

 private:
  struct frame {
    replay::shared_text text;
    bool is_answer = false;
  };
  void count(std::size_t bytes, bool is_answer) {
    if (!is_answer) return;
    ++answers_;
    answer_bytes_ += bytes;
  }

  std::deque<frame> frames_;
  std::size_t answers_ = 0;
  std::size_t answer_bytes_ = 0;
};

}  // namespace throughline::gateway
