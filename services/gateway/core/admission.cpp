#include "services/gateway/core/admission.hpp"

#include <algorithm>

namespace throughline::gateway {

namespace {

/// Beyond this part of the connections there are, only those are taken that end by themselves soon.
constexpr std::size_t for_viewers(std::size_t connections_max) {
  return connections_max - connections_max / 8;
}

}  // namespace

void admission::count(millis now) {
  const auto number = now / window;
  if (number == number_ + 1) turned_away_ = {0, turned_away_[0]};
  if (number > number_ + 1) turned_away_ = {};
  number_ = number;
  ++turned_away_[0];
}

millis admission::come_back_after(millis now) {
  count(now);
  const millis wanted{(turned_away_[0] + turned_away_[1]) * 1'000 / back_per_second};
  const auto spread = std::clamp(wanted, spread_min, spread_max);
  return after_min + millis(chance_.next() % static_cast<std::uint64_t>(spread.count()));
}

std::optional<admission::refusal> admission::refuse(const gateway_load& load, bool asks_state, millis now) {
  std::optional<overload> why;
  if (load.connections >= for_viewers(bounds_.connections_max)) why = overload::connections;
  if (asks_state && load.states_asked >= bounds_.states_max) why = overload::states;
  if (load.lag >= bounds_.lag_max) why = overload::lag;
  if (!why) return std::nullopt;
  return refusal{*why, come_back_after(now)};
}

}  // namespace throughline::gateway
