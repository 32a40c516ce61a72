#include "services/state-sync/shell/reply_desk.hpp"

#include <utility>

#include "common/codec/requests.hpp"

namespace throughline::state_sync {

reply_token reply_desk::wait(io::message from, time_point until) {
  const std::lock_guard hold(guard_);
  if (waiters_.size() >= waiters_max) forget_late(std::chrono::steady_clock::now());
  if (waiters_.size() >= waiters_max) return 0;
  from.body.clear();  // only where it came from is needed
  const auto token = ++last_;
  waiters_.emplace(token, waiter{std::move(from), by_time_.emplace(until, token)});
  return token;
}

void reply_desk::forget_late(time_point now) {
  while (!by_time_.empty() && by_time_.begin()->first <= now) {
    waiters_.erase(by_time_.begin()->second);
    by_time_.erase(by_time_.begin());
  }
}

void reply_desk::answer(reply_token to, const reply& what, std::uint64_t epoch) {
  if (to == 0) return;
  io::message from;
  {
    const std::lock_guard hold(guard_);
    const auto found = waiters_.find(to);
    if (found == waiters_.end()) return;
    from = std::move(found->second.from);
    by_time_.erase(found->second.until);
    waiters_.erase(found);
    forget_late(std::chrono::steady_clock::now());
  }
  answer(from, what, epoch);
}

void reply_desk::answer(const io::message& to, const reply& what, std::uint64_t epoch) {
  if (to.reply.empty()) return;
  // A reply that is lost is asked for again under the same id.
  (void)link_.respond(to, {}, codec::encode(what, epoch));
}

}  // namespace throughline::state_sync
