#pragma once
// When a bridge that has lost NATS sends its agents to another that may have it. Pure; `now` never jumps.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>

namespace throughline::agent_bridge {

class nats_outage {
 public:
  using moment = std::chrono::steady_clock::time_point;
  /// What is shorter, as a restart of NATS, moves nobody.
  static constexpr std::chrono::seconds refuse_after{2};
  /// A numbered agent loses nothing by it. Before the owner takes it for silent (15 s).
  static constexpr std::chrono::seconds numbered_after{10};
  /// What a stock agent has said is with this bridge only, and whether another one hears NATS nobody here knows. It may
  /// lose words by going; by then it has been lost for its session, and staying helps nobody.
  static constexpr std::chrono::seconds stock_after{120};

  enum class leaving { nobody, numbered, all };

  /// There is no connection yet.
  explicit nats_outage(moment now) : since_(now) {}

  void connected() { since_.reset(); }
  void disconnected(moment now) {
    if (!since_) since_ = now;
  }

  /// How many of all that are here go in one step of a quarter of a second: not all come to another bridge at once, and
  /// all are gone after 4 s.
  static std::size_t at_once(std::size_t all) { return std::max<std::size_t>(12, (all + 15) / 16); }

  bool lasts() const { return since_.has_value(); }
  /// New agents are turned away at once.
  bool refuses(moment now) const { return since_ && now - *since_ >= refuse_after; }
  leaving who_leaves(moment now) const {
    if (!since_ || now - *since_ < numbered_after) return leaving::nobody;
    return now - *since_ < stock_after ? leaving::numbered : leaving::all;
  }

 private:
  std::optional<moment> since_;
};

}  // namespace throughline::agent_bridge
