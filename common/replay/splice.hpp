#pragma once
// The splice of snapshot and live events of one watched session (design 3.7), as values in, verdicts out; one thread.
//
// The shell subscribes, then asks for a snapshot, and from then on tells the splice what arrives. Events come out of
// `step::forward` contiguous and in order: each one's seq is one above the last one's, or above the snapshot's.
// A viewer that joins later gets a snapshot of its own; it skips forwarded events at or below that one's position, and
// takes those it misses from the ring. Nothing here trusts the wire: events may be lost, repeated or reordered.

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "common/base/position.hpp"
#include "common/replay/live_event.hpp"

namespace throughline::replay {

/// The events after `since` up to `to` (included) are missing.
struct hole {
  position since;  ///< as read_events takes it
  std::uint64_t to = 0;
  bool operator==(const hole&) const = default;
};

/// What the shell does next, in this order.
struct step {
  /// Every viewer's state is void: forget the ring, ask for a snapshot, give it to all of them (`want_snapshot` is
  /// set).
  bool reset = false;
  bool want_snapshot = false;          ///< ask for a snapshot; `snapshot` when it is there, `snapshot_failed` when not
  std::vector<live_event> forward;     ///< to every viewer
  std::optional<hole> fetch;           ///< ask for this range; `range` when it is there, `range_failed` when not
  std::optional<position> look_again;  ///< 250 ms from now, tell this head to `head_again` (design 3.7)
  bool stale = false;                  ///< what arrived is of a lower epoch or behind: not to be shown, ask again
};

enum class splice_status { awaiting_snapshot, live, fetching };

class splice {
 public:
  explicit splice(bounds buffer = {}) : limits_(buffer) {}

  /// A live event arrived. At or below what is held: dropped. Higher epoch: reset. Above a hole: kept, and fetched.
  [[nodiscard]] step event(live_event arrived);

  /// A snapshot of this position arrived. While one is awaited, it becomes what is held, and what is buffered above it
  /// follows. Otherwise it is a joining viewer's: a lower epoch is stale, a higher one resets all, one ahead of what is
  /// held is a head to look at again.
  [[nodiscard]] step snapshot(position head);
  [[nodiscard]] step snapshot_failed();

  /// The answer to the last `fetch`: events after `hole::since`, in order. `known` false (position_unknown): reset.
  /// An answer that reaches less far than asked is fine: the rest is asked for next. One that brings nothing, or
  /// `range_failed`, gives `look_again`.
  [[nodiscard]] step range(std::vector<live_event> events, bool known);
  [[nodiscard]] step range_failed();

  /// A head check's answer. `held_when_asked` is what `held()` was when the question left. Higher epoch, or behind
  /// `held_when_asked`: reset. Ahead of what is held now: `look_again`.
  [[nodiscard]] step head(position held_when_asked, position now);
  /// 250 ms after `head`: still ahead of what is held: fetch.
  [[nodiscard]] step head_again(position now);

  /// What every viewer that was there from the start has; epoch 0 before the first snapshot.
  position held() const { return held_; }
  splice_status status() const { return status_; }
  std::size_t buffered() const { return buffer_.size(); }

 private:
  step start_over(std::uint64_t epoch);
  bool keep(live_event arrived);  ///< false: the buffer reached its bound and was dropped
  void pass(step& out, live_event next);
  void drain(step& out);
  void seek(step& out);
  void clear_buffer();

  bounds limits_;
  splice_status status_ = splice_status::awaiting_snapshot;
  position held_;
  std::uint64_t epoch_ = 0;                     ///< the highest seen; what is of a lower one is ignored (design 3.4)
  std::uint64_t known_to_ = 0;                  ///< the highest seq known to exist in `epoch_`
  std::map<std::uint64_t, live_event> buffer_;  ///< by seq, all of `epoch_`
  std::size_t buffer_bytes_ = 0;
};

}  // namespace throughline::replay
