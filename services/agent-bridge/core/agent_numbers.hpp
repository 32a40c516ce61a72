#pragma once
// The numbers that a v2 agent gives its own frames, on one socket (design 5.5): what is new, what was said before, what
// is missing. Pure.

#include <algorithm>
#include <cstdint>
#include <utility>

namespace throughline::agent_bridge {

class agent_numbers {
 public:
  enum class verdict {
    take,    ///< new
    repeat,  ///< said before
    gap      ///< frames before it never came
  };
  struct finding {
    verdict what = verdict::take;
    std::uint64_t skipped = 0;  ///< numbers that nobody will ever send
  };

  /// `committed`: what `resume` told the agent.
  explicit agent_numbers(std::uint64_t committed) : highest_(committed) {}

  /// The next frame has this number. Only the first of a socket may skip numbers, for those that are gone at the agent
  /// as well; and any frame those of frames that came but could not be read.
  finding read(std::uint64_t number) {
    const bool first = std::exchange(first_, false);
    if (number <= highest_) return {verdict::repeat, 0};
    const auto missing = number - highest_ - 1;
    const auto unread = std::min(missing, unreadable_);
    if (missing > unread && !first) return {verdict::gap, missing - unread};
    unreadable_ = 0;
    highest_ = number;
    return {verdict::take, missing - unread};
  }

  /// A frame came whose number cannot be told.
  void unreadable() { ++unreadable_; }

 private:
  std::uint64_t highest_ = 0;
  std::uint64_t unreadable_ = 0;
  bool first_ = true;
};

}  // namespace throughline::agent_bridge
