#pragma once
// What goes wrong in a run: the weather of its seed, and the guard that is taken away on purpose.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/instant.hpp"
#include "tests/simulation/chance.hpp"

namespace throughline::simulation {

/// A guard that the simulated shells leave out. Nothing of this is in product code.
enum class plant {
  none,
  publish_before_commit,
  no_head_check,
  splice_without_buffer,
  no_dedupe,
  cancel_without_id,
  merge_after_numbering,
  timers_before_input,
  in_doubt_sent_again,
  epoch_ignored,
  completion_by_position,
  replay_by_id,
};
inline constexpr std::array<std::string_view, 12> plant_names{"none",
                                                              "publish_before_commit",
                                                              "no_head_check",
                                                              "splice_without_buffer",
                                                              "no_dedupe",
                                                              "cancel_without_id",
                                                              "merge_after_numbering",
                                                              "timers_before_input",
                                                              "in_doubt_sent_again",
                                                              "epoch_ignored",
                                                              "completion_by_position",
                                                              "replay_by_id"};

inline std::optional<plant> plant_named(std::string_view name) {
  for (std::size_t i = 0; i < plant_names.size(); ++i) {
    if (plant_names[i] == name) return static_cast<plant>(i);
  }
  return std::nullopt;
}

/// `one_in` chances; 0 is never.
struct weather {
  std::uint64_t lost = 0, repeated = 0, late = 0;  ///< of a message on NATS
  std::uint64_t commit_fails = 0, commit_in_doubt = 0, owner_crash = 0, owner_pause = 0;
  std::uint64_t socket_break = 0, bridge_crash = 0, gateway_crash = 0, agent_restart = 0, agent_error = 0;
  std::uint64_t clock_jump = 0, failover = 0, slow_viewer = 0;

  bool clean() const { return lost == 0; }
};

/// A quarter of the seeds has no fault at all: there everything must also be prompt.
inline weather weather_of(std::uint64_t seed, chance& by) {
  weather w;
  if (seed % 4 == 0) return w;
  const auto some = [&](std::uint64_t usual) { return by.one_in(3) ? 0 : usual / 2 + by.below(usual) + 1; };
  w.lost = some(30) + 1000 * by.below(2) + 1;
  w.repeated = some(20);
  w.late = some(20);
  w.commit_fails = some(40);
  w.commit_in_doubt = some(40);
  w.owner_crash = some(30);
  w.owner_pause = some(40);
  w.socket_break = some(5);
  w.bridge_crash = some(20);
  w.gateway_crash = some(15);
  w.agent_restart = some(15);
  w.agent_error = some(12);
  w.clock_jump = some(10);
  w.slow_viewer = some(15);
  w.failover = seed % 8 == 3 ? 6 : 0;
  return w;
}

}  // namespace throughline::simulation
