#include "services/gateway/core/sending.hpp"

#include <algorithm>

namespace throughline::gateway {

namespace {

constexpr millis shortest_attempt{20};

/// 20 ms, doubling up to 500 ms.
millis back_off(unsigned failures) {
  return std::min(millis(500), millis(10) * (1 << std::min(failures, 6u)));
}

}  // namespace

result<next_attempt> mutation_attempts::next(attempt_outcome became, millis after, millis now) {
  may_have_happened_ = may_have_happened_ || became == attempt_outcome::busy || became == attempt_outcome::unanswered;
  ++failures_;
  if (became == attempt_outcome::unanswered) longer_ = std::min(2 * longer_, longest_attempt);
  // What was not answered in time has waited already.
  const auto wait = became == attempt_outcome::unanswered ? millis(20) : std::max(after, back_off(failures_));
  const auto left = deadline_ - now - wait;
  if (left >= shortest_attempt) return next_attempt{wait, std::min(bounds_.attempt * longer_, left), true};
  if (may_have_happened_) {
    return fail("outcome_unknown", "the request was sent but not answered: repeat it with the same id");
  }
  return fail("not_accepted", "nobody could take the request, nothing happened: try again");
}

result<next_attempt> read_attempts::next(attempt_outcome became, millis after, millis now) {
  ++failures_;
  somebody_ = somebody_ || became != attempt_outcome::nobody;
  // A busy replica says so at once: the group may pick another one. Otherwise the two subjects take turns.
  if (became != attempt_outcome::busy) direct_ = !direct_;
  if (became == attempt_outcome::unanswered) ++unanswered_;
  const auto wait = became == attempt_outcome::unanswered ? millis(0) : std::max(after, back_off(failures_));
  const auto left = (somebody_ ? deadline_ : std::min(deadline_, nobody_until_)) - now - wait;
  if (left >= shortest_attempt) {
    const auto usual = direct_ ? direct_timeout : group_timeout;
    return next_attempt{wait, std::min(usual * (1 << std::min(unanswered_ / 2, 3u)), left), direct_};
  }
  if (became == attempt_outcome::busy) return fail("busy", "too much is being read at the moment: try again");
  return fail("unavailable", "the sessions cannot be read at the moment: try again");
}

}  // namespace throughline::gateway
