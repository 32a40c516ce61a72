#pragma once
// Whether this gateway takes more work (G8), and when those it turns away are to come back: spread, so that they do not
// come all at once again. Values in, verdicts out; one thread. `now` never jumps.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/base/instant.hpp"
#include "common/base/ulid.hpp"

namespace throughline::gateway {

/// What the shell measures.
struct gateway_load {
  millis lag{0};                 ///< how late the event loop does what is due
  std::size_t states_asked = 0;  ///< full states asked of state-sync and not there yet
  std::size_t connections = 0;
};

enum class overload { lag, states, connections };

class admission {
 public:
  struct limits {
    millis lag_max{1'000};
    std::size_t states_max = 1'024;
    std::size_t connections_max = 100'000;
  };
  struct refusal {
    overload why = overload::lag;
    millis after{0};
  };
  /// Nobody is sent away for less, or for more than both together.
  static constexpr millis after_min{500};
  static constexpr millis spread_min{1'000};
  static constexpr millis spread_max{30'000};
  /// Of those turned away, so many are called back per second.
  static constexpr std::uint64_t back_per_second = 500;

  admission(limits bounds, std::uint64_t seed) : bounds_(bounds), chance_(seed) {}

  /// `asks_state`: the work begins with a full state that nobody here holds or waits for yet.
  [[nodiscard]] std::optional<refusal> refuse(const gateway_load& load, bool asks_state, millis now);
  /// For who is turned away for another reason that is as passing.
  [[nodiscard]] millis come_back_after(millis now);

 private:
  /// Those turned away in this and the one before of the windows of `window` each.
  static constexpr millis window{5'000};
  void count(millis now);

  limits bounds_;
  id_source chance_;
  std::int64_t number_ = 0;
  std::array<std::uint64_t, 2> turned_away_{};
};

}  // namespace throughline::gateway
