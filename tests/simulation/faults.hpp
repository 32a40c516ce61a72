#pragma once
// What goes wrong in a run: the weather of its seed, and the guard that is taken away on purpose.

#include <array>
#include <cstddef>
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
  snapshot_in_two_statements,
  refusal_from_memory,
  behind_the_present,
  patch_after_end,
  never_split,
  joined_with_a_hole,
  primary_key_fence,
  refusal_does_not_fence,
  timeline_of_checkpoint,
  errors_as_bad_input,
  no_suspect_mark,
  lower_cursor_adopted,
};
inline constexpr std::array<std::string_view, 24> plant_names{
    "none",
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
    "replay_by_id",
    "snapshot_in_two_statements",
    "refusal_from_memory",
    "behind_the_present",
    "patch_after_end",
    "never_split",
    "joined_with_a_hole",
    "primary_key_fence",
    "refusal_does_not_fence",
    "timeline_of_checkpoint",
    "errors_as_bad_input",
    "no_suspect_mark",
    "lower_cursor_adopted",
};

inline std::optional<plant> plant_named(std::string_view name) {
  for (std::size_t i = 0; i < plant_names.size(); ++i) {
    if (plant_names[i] == name) return static_cast<plant>(i);
  }
  return std::nullopt;
}

/// `one_in` chances; 0 is never.
struct weather {
  std::uint64_t lost = 0, repeated = 0, late = 0;  ///< of a message on NATS
  std::uint64_t commit_fails = 0, commit_in_doubt = 0;
  std::uint64_t owner_crash = 0, replica_crash = 0, pause = 0, nats_cut = 0, database_cut = 0, hand_on = 0;
  std::uint64_t poison = 0;  ///< of what agents say: it kills the process that applies it
  std::uint64_t socket_break = 0, bridge_crash = 0, gateway_crash = 0, agent_restart = 0, agent_error = 0;
  std::uint64_t clock_jump = 0, failover = 0, slow_viewer = 0;
  /// What one NATS message may hold; 0: a stock server's 1 MiB, and nothing here is that large.
  std::size_t payload_max = 0;
  /// What the queue of one user socket holds.
  std::size_t queue_frames_max = 256, queue_bytes_max = std::size_t{1} << 20;
  std::size_t replicas = 1, gateways = 2;
  bool numbered_agent = false;  ///< v2
  std::uint64_t joins = 0;      ///< of commits: somebody opens a page then

  bool clean() const { return lost == 0; }
};

/// A quarter of the seeds has no fault at all: there everything must also be prompt.
inline weather weather_of(std::uint64_t seed, chance& by) {
  weather w;
  w.numbered_agent = by.one_in(3);
  w.replicas = 1 + by.below(2);
  w.gateways = 2 + by.below(2);
  // Small enough that events, snapshots and hand-overs are split, large enough for the headers of a part.
  if (by.one_in(2)) w.payload_max = 1'400 + by.below(6'000);
  if (by.one_in(3)) w.joins = 2 + by.below(20);
  if (seed % 4 == 0) return w;
  const auto some = [&](std::uint64_t usual) { return by.one_in(3) ? 0 : usual / 2 + by.below(usual) + 1; };
  w.lost = some(30) + 1000 * by.below(2) + 1;
  w.repeated = some(20);
  w.late = some(20);
  w.commit_fails = some(40);
  w.commit_in_doubt = some(40);
  w.replicas = 2 + by.below(2);
  if (seed % 8 == 1) w.replicas = 1;  // nobody takes over
  w.owner_crash = some(30);
  w.replica_crash = some(20);
  w.pause = some(20);
  w.nats_cut = some(25);
  w.database_cut = some(25);
  w.hand_on = some(20);
  w.poison = by.one_in(6) ? 30 + by.below(60) : 0;
  w.socket_break = some(5);
  w.bridge_crash = some(20);
  w.gateway_crash = some(15);
  w.agent_restart = some(15);
  w.agent_error = some(12);
  w.clock_jump = some(10);
  w.slow_viewer = some(15);
  w.failover = seed % 8 == 3 ? 6 : 0;
  w.queue_frames_max = 2 + by.below(12);
  w.queue_bytes_max = 512 + by.below(8'000);
  return w;
}

}  // namespace throughline::simulation
