#pragma once
// The watch of one session on this gateway, shared by all its viewers: one subscription, one snapshot read in flight,
// one ring of recent events (design 3.7, 5.4). Values in, effects out; one thread. `now` never jumps.
//
// The shell subscribes before it carries out the first effect, and tells the watch what arrives. Whatever the wire
// loses, repeats or reorders, each viewer gets a full state first and then every event once, in order; what a viewer
// cannot be given exactly it gets as a new full state.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/instant.hpp"
#include "common/model/reply.hpp"
#include "common/replay/ring.hpp"
#include "common/replay/splice.hpp"
#include "services/gateway/core/viewer.hpp"

namespace throughline::gateway {

/// What a snapshot read brought; the bodies are shared by all who get it.
struct full_state {
  position head;
  replay::shared_text body;
  replay::shared_text baseline;  ///< null where there is none
};

namespace effect {
struct ask_snapshot {};
struct ask_range {
  std::uint64_t ticket = 0;  ///< comes back with the answer
  replay::hole missing;
};
/// The events after a position, for viewers that resume there: at most resume_events_max, resume_bytes_max.
struct ask_resume {
  std::uint64_t ticket = 0;
  position since;
};
struct admit {
  viewer_key who = 0;
};
/// There is no such session, or it is not visible to this one. The viewer has left.
struct refuse {
  viewer_key who = 0;
};
struct send_state {
  std::vector<viewer_key> to;
  std::shared_ptr<const full_state> what;
  bool with_baseline = false;
};
struct send_event {
  std::vector<viewer_key> to;
  replay::live_event what;
};
/// What a resuming viewer missed; it is at `at` then.
struct send_replay {
  std::vector<viewer_key> to;
  std::vector<replay::live_event> what;
  position at;
};
/// The last frames given to these are the head, as a look at the database has just found.
struct heartbeat {
  std::vector<std::pair<viewer_key, position>> to;
};
/// Gone or no longer visible: 4404. The viewer has left.
struct close_not_found {
  viewer_key who = 0;
};
}  // namespace effect

using watch_effect = std::variant<effect::ask_snapshot, effect::ask_range, effect::ask_resume, effect::admit,
                                  effect::refuse, effect::send_state, effect::send_event, effect::send_replay,
                                  effect::heartbeat, effect::close_not_found>;
using watch_effects = std::vector<watch_effect>;

/// The answer to `ask_resume`.
struct resumption {
  std::vector<replay::live_event> events;
  position head;
  bool known = false;     ///< the position can be resumed
  bool complete = false;  ///< these are all events up to the head
};

class watch {
 public:
  /// How long what is held counts as current without another look at the database: a storm of joiners shares one read
  /// of a session at rest.
  static constexpr millis reuse_max{2'000};
  /// Between two full states for laggards (design 5.4).
  static constexpr millis laggard_gap{1'000};
  static constexpr millis look_again_after{250};
  static constexpr millis retry_after{200};
  /// What a viewer may have missed and get as events.
  static constexpr std::uint64_t tail_events_max = 256;
  static constexpr std::size_t tail_bytes_max = 256u << 10;
  static constexpr std::uint64_t resume_events_max = 5'000;
  static constexpr std::size_t resume_bytes_max = 1u << 20;
  /// The least time between heartbeats; each waits for the next head check after it, 5 s at most.
  static constexpr millis heartbeat_after{10'000};

  /// Somebody wants to watch. Answered by `admit` or `refuse`, at once or after the next snapshot.
  [[nodiscard]] viewer_key knock(const user_id& user, wire_version version, millis now, watch_effects& out);
  /// The socket of an admitted viewer is open: the full state follows, or what came after `since` where a v2 viewer can
  /// be given exactly that; then events.
  void open(viewer_key who, std::optional<position> since, millis now, watch_effects& out);
  /// The viewer asks for a new full state. It gets the next one that laggards share.
  void resync(viewer_key who, millis now, watch_effects& out);
  void leave(viewer_key who);
  /// The viewer's queue took no more. `has`: everything up to here reached the queue; zero where a full state did not.
  void overflowed(viewer_key who, position has);
  void writable(viewer_key who, millis now, watch_effects& out);

  void event(replay::live_event arrived, millis now, watch_effects& out);
  void access_changed(std::uint64_t epoch, const access_list& access, watch_effects& out);
  void deleted(watch_effects& out);

  /// The answer to `ask_snapshot`. An absent reading: no answer in time.
  void snapshot(std::optional<session_reading> reading, millis now, watch_effects& out);
  /// The answer to `ask_range`. Absent: no answer in time. `known` false: the position cannot be resumed.
  void range(std::uint64_t ticket, std::optional<std::vector<replay::live_event>> events, bool known, millis now,
             watch_effects& out);
  /// The answer to `ask_resume`. Absent: no answer in time.
  void resumed(std::uint64_t ticket, std::optional<resumption> answer, millis now, watch_effects& out);
  /// A head check's answer. `held_when_asked` is what `held()` was when the question left, at `asked_at`.
  void head(position held_when_asked, const head_reading& reading, millis asked_at, millis now, watch_effects& out);

  /// Does what is due. To be called at `next_deadline` or later.
  void time_passed(millis now, watch_effects& out);
  std::optional<millis> next_deadline() const;

  position held() const { return splice_.held(); }
  bool gone() const { return gone_; }  ///< deleted, or never there: to be forgotten
  std::size_t viewers() const { return viewers_.size() - free_.size(); }

 private:
  struct look {
    position at;
    millis due{0};
  };

  std::uint32_t& count(viewer_state s) { return counts_[static_cast<std::size_t>(s)]; }
  bool any(viewer_state s) const { return counts_[static_cast<std::size_t>(s)] != 0; }
  void set_state(viewer& v, viewer_state to);  ///< the only door to a viewer's state
  void release(viewer_key who);
  bool may_watch(const viewer& v) const;
  bool covers(position since) const;
  bool is_verified(millis now) const;
  bool state_is_current(millis now) const;
  bool is_current_for(const viewer& v) const;

  void follow(replay::step step, millis now, watch_effects& out);
  void start_over();
  void ask_snapshot(millis now, watch_effects& out);
  void adopt_access(std::uint64_t epoch, const access_list& access, watch_effects& out);
  void close_all(watch_effects& out);
  void answer_knocks(millis asked_at, millis now, watch_effects& out);
  void give_state(millis now, watch_effects& out);
  bool give_tail(viewer_key who, watch_effects& out);
  bool may_resume(position since) const;
  void give_up_resuming(viewer& v);
  position resume_start(std::vector<position> waiting);
  void resume_in_vain(position asked, const std::optional<resumption>& answer);
  void replay_to_all(position asked, const resumption& answer, watch_effects& out);
  void forward(replay::live_event event, watch_effects& out);
  void ask_resume(watch_effects& out);
  void serve_awaiting(millis now, watch_effects& out);
  void verify(millis now, watch_effects& out);
  void beat(millis now, watch_effects& out);

  replay::splice splice_;
  replay::ring ring_;  ///< the events up to `given_`
  position given_;     ///< what live viewers have been given
  std::vector<viewer> viewers_;
  std::vector<viewer_key> free_;
  std::array<std::uint32_t, viewer_state_count> counts_{};
  std::optional<access_list> access_;
  std::uint64_t access_epoch_ = 0;
  std::shared_ptr<const full_state> state_;
  position seen_;                  ///< the highest that anything told of; commits come first, so a read finds it
  std::uint64_t reads_asked_ = 0;  ///< snapshots; the number of the last one
  std::uint64_t state_read_ = 0;   ///< the one that brought `state_`
  millis verified_at_{0};          ///< what is held was the database's head then
  std::optional<millis> asked_snapshot_at_;
  std::optional<millis> retry_snapshot_at_;
  std::optional<look> look_again_;
  std::uint64_t range_ticket_ = 0;
  std::uint64_t resume_ticket_ = 0;
  std::optional<position> resuming_from_;
  std::optional<std::uint64_t> resume_above_;  ///< seq of an older epoch's position that is not known
  bool resume_halves_ = false;                 ///< the lowest was too far behind: the next reads search where it is not
  struct found_head {
    position at;
    millis asked_at;
  };
  std::optional<found_head> found_;  ///< of the last head check, until everything up to it is here
  millis next_heartbeat_{0};
  millis next_laggard_state_{0};
  bool gone_ = false;
};

}  // namespace throughline::gateway
