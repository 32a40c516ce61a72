#include "services/gateway/shell/load_meter.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/base/ulid.hpp"
#include "services/gateway/shell/steady.hpp"

namespace throughline::gateway {

namespace asio = boost::asio;

namespace {

constexpr millis look_every{50};

const char* name_of(overload why) {
  switch (why) {
    case overload::lag:
      return "lag";
    case overload::states:
      return "states";
    case overload::connections:
      return "connections";
  }
  return "";
}

}  // namespace

load_meter::load_meter(io::event_loop& loop, const probe& counts, std::size_t connections_max,
                       std::function<std::size_t()> connections)
    : counts_(counts),
      core_({.connections_max = connections_max}, system_entropy()),
      connections_(std::move(connections)) {
  loop.spawn(measure());
}

/// Late twice in a row, by the less of the two: a process that was stopped for a while is late once, and is not loaded.
asio::awaitable<void> load_meter::measure() {
  millis before{0};
  for (;;) {
    const auto due = steady_now() + look_every;
    co_await io::sleep_for(look_every);
    const auto late = std::max(millis(0), steady_now() - due);
    lag_ = std::min(late, std::exchange(before, late));
    counts_.loop_late(std::chrono::duration<double>(lag_).count());
  }
}

std::optional<millis> load_meter::refuse(bool asks_state) {
  const gateway_load now{.lag = lag_, .states_asked = states_asked_, .connections = connections_()};
  const auto refused = core_.refuse(now, asks_state, steady_now());
  if (!refused) return std::nullopt;
  counts_.turned_away(name_of(refused->why));
  return refused->after;
}

millis load_meter::come_back_after() {
  return core_.come_back_after(steady_now());
}

}  // namespace throughline::gateway
