#pragma once
// How often, where and how long state-sync is asked (design 3.5, 3.7, 5.3), as values: the shell tells what became of
// an attempt and does what it is told next.

#include <optional>

#include "common/base/instant.hpp"
#include "common/base/result.hpp"

namespace throughline::gateway {

enum class attempt_outcome {
  nobody,      ///< no responders, or nothing was sent: nothing happened
  not_owner,   ///< answered by a replica that may not decide: nothing happened
  busy,        ///< kept by the owner, may still happen
  unanswered,  ///< outcome unknown: no answer in time, connection lost, or an answer that cannot be taken
};

/// What to do next: another attempt after `wait`, with this timeout, which is also its budget.
struct next_attempt {
  millis wait{0};
  millis timeout{0};
  bool direct = false;  ///< reads: to the shard's own subject instead of the queue group
};

/// A mutation is repeated under its id until it is answered or patience ends: above the 7 s after which a dead owner is
/// replaced (design 7). Then `not_accepted` if no attempt can have had an effect, else `outcome_unknown`. What an owner
/// had been asked when it died is asked again after the first attempt, which is short; each that is not answered in
/// time is followed by one of twice its length, so that an owner that is overloaded is asked less and less often.
class mutation_attempts {
 public:
  struct patience {
    millis whole{10'000};
    millis attempt{1'000};  ///< the first; others up to `longest_attempt` times as long
  };
  /// The third attempt ends after 6 s: when a frozen owner has just been replaced.
  static constexpr int longest_attempt = 3;
  explicit mutation_attempts(millis now) : mutation_attempts(now, patience()) {}
  mutation_attempts(millis now, patience how_long) : bounds_(how_long), deadline_(now + how_long.whole) {}

  next_attempt first() const { return {millis(0), bounds_.attempt, true}; }
  /// `after`: the wait that a `busy` asked for, else 0.
  result<next_attempt> next(attempt_outcome became, millis after, millis now);

 private:
  patience bounds_;
  millis deadline_;
  bool may_have_happened_ = false;
  unsigned failures_ = 0;
  int longer_ = 1;  ///< than the first, the next attempt
};

/// A cancel is answered when it is decided, up to 10 s later (design 6.3); a repeat waits beside the first.
inline constexpr mutation_attempts::patience cancel_patience{millis(20'000), millis(1'000)};

/// A read goes to the queue group; not answered in 500 ms, it goes to the shard's own subject, since a frozen member of
/// the group swallows its share. What both did not answer may be large, and is given twice the time. Errors: `busy`,
/// `unavailable`.
class read_attempts {
 public:
  static constexpr millis group_timeout{500};
  static constexpr millis direct_timeout{2'000};
  /// Any replica answers reads: where nobody listens at all, waiting for another owner brings nothing.
  static constexpr millis nobody_max{2'500};

  read_attempts(millis now, millis budget) : deadline_(now + budget), nobody_until_(now + nobody_max) {}

  next_attempt first() const { return {millis(0), group_timeout, false}; }
  result<next_attempt> next(attempt_outcome became, millis after, millis now);

 private:
  millis deadline_;
  millis nobody_until_;
  bool somebody_ = false;
  bool direct_ = false;
  unsigned failures_ = 0;
  unsigned unanswered_ = 0;
};

}  // namespace throughline::gateway
