#pragma once
// Inputs that wait for another try, by the session they address, in order (design 3.6: nothing is refused, nothing
// overtakes, and no session waits for another one). A session whose inputs failed alone is tried alone from then on,
// with a pause of its own, until it commits. Pure: times are given. One thread.

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "services/state-sync/shell/inbox.hpp"
#include "services/state-sync/shell/pending_input.hpp"

namespace throughline::state_sync {

class held_inputs {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using inputs = std::vector<pending_input>;

  static constexpr std::chrono::milliseconds pause_min{50};
  static constexpr std::chrono::milliseconds pause_max{1000};
  /// What may wait behind one session; what it has when it fails is a batch at most.
  static constexpr inbox_bounds session_max{512, std::size_t{4} << 20};
  static constexpr inbox_bounds total_max{16'384, std::size_t{64} << 20};
  /// A session that failed alone and of which nothing waits is forgotten after this long.
  static constexpr std::chrono::seconds remembered{60};
  static constexpr std::size_t remembered_max = 4096;

  /// Puts back what was taken for a try, in front of what came since, to be taken at `until`.
  void put_back(inputs batch, time_point until);
  /// The same for the inputs of one session that failed with nothing else in their transaction.
  void put_back_alone(inputs of_one, time_point now);
  /// To be taken at once, each session alone.
  void put_back_apart(inputs batch, time_point now);
  /// Behind what waits of their sessions, not before `until`, whatever the bounds: they were counted when they came.
  void put_behind(inputs batch, time_point until = {});
  /// What was tried is settled: the session is like any other again.
  void settled(const session_id& session);

  /// Something of this session waits, or it is to be tried alone: new inputs go behind it.
  bool holds(const session_id& session) const { return sessions_.contains(session); }
  bool waits(const session_id& session) const;
  /// Behind what waits. False, and `input` untouched, when a bound is reached.
  [[nodiscard]] bool append(pending_input& input);

  /// What is due of sessions that may share a transaction, whole sessions, within `most` (one session at least).
  inputs take_due(time_point now, inbox_bounds most);
  /// What is due of sessions that are tried alone, up to `most` of them, the longest due first.
  std::vector<inputs> take_due_alone(time_point now, std::size_t most);
  /// What its senders will soon no longer wait for, out of turn: pauses may be longer than budgets.
  inputs take_nearly_spent(time_point now);
  /// What waits of these sessions, which are forgotten.
  inputs take_of(const std::function<bool(const session_id&)>& sessions);
  inputs take_all();

  std::optional<time_point> earliest() const;
  bool empty() const { return items_ == 0; }
  /// Nothing waits but what has failed alone.
  bool only_failing() const;
  void forget_quiet(time_point now);

 private:
  struct waiting {
    inputs items;
    std::size_t bytes = 0;
    time_point due{};
    unsigned failures = 0;  ///< alone, in a row; above 0 it is tried alone
    time_point failed_at{};
  };
  waiting& place(const session_id& session);
  void put_in_front(waiting& into, inputs batch);
  inputs take(waiting& from);

  std::unordered_map<session_id, waiting> sessions_;
  std::size_t items_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace throughline::state_sync
