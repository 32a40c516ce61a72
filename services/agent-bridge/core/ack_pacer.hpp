#pragma once
// When a v2 agent is told how far it is committed (design 5.5): at once when it is quiet, one ack for many frames when
// it is busy, and never more than one that its socket has not taken. Pure.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace throughline::agent_bridge {

class ack_pacer {
 public:
  using moment = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds interval{20};
  /// After one that the socket had no room for: the agent does not read.
  static constexpr std::chrono::seconds congested{1};

  ack_pacer() = default;
  explicit ack_pacer(std::uint64_t committed) : committed_(committed) {}

  /// Everything up to `number` is committed, and the agent is to hear it (again).
  void owe(std::uint64_t number) {
    committed_ = std::max(committed_, number);
    due_ = true;
  }
  std::uint64_t committed() const { return committed_; }

  /// The number to acknowledge now; then `settled`.
  std::optional<std::uint64_t> take(moment now) {
    if (!due_ || under_way_ || now < not_before_) return std::nullopt;
    not_before_ = now + interval;
    return take_now();
  }
  /// Before the socket closes: what is owed, whatever the pace.
  std::optional<std::uint64_t> take_last() { return due_ ? take_now() : std::nullopt; }

  void settled(bool written, moment now) {
    under_way_ = false;
    if (written) return;
    due_ = true;
    not_before_ = now + congested;
  }

  std::optional<moment> next_wake() const { return due_ && !under_way_ ? std::optional(not_before_) : std::nullopt; }

 private:
  std::optional<std::uint64_t> take_now() {
    due_ = false;
    under_way_ = true;
    return committed_;
  }

  std::uint64_t committed_ = 0;
  bool due_ = false;
  bool under_way_ = false;
  moment not_before_{};
};

}  // namespace throughline::agent_bridge
