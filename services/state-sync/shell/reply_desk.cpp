#include "services/state-sync/shell/reply_desk.hpp"

#include <utility>

#include "common/codec/requests.hpp"

namespace throughline::state_sync {

reply_token reply_desk::wait(io::message from, time_point until) {
  std::vector<due_answer> due;
  reply_token token = 0;
  {
    const std::lock_guard hold(guard_);
    from.body.clear();  // only where it came from is needed
    if (has_room(1, due)) token = add({std::move(from), nullptr, 0, {}}, until);
  }
  send(due);
  return token;
}

std::vector<reply_token> reply_desk::wait_each(io::message from, const renew& what, time_point until) {
  std::vector<due_answer> due;
  std::vector<reply_token> tokens;
  std::vector<attachment_id> of;
  for (const auto& one : what.attachments) of.push_back(one.attachment);
  {
    const std::lock_guard hold(guard_);
    if (has_room(of.size(), due)) {
      from.body.clear();
      const auto count = of.size();
      const auto all = std::make_shared<gathering>(gathering{std::move(from), renewal_answer(std::move(of))});
      for (std::size_t place = 0; place < count; ++place) tokens.push_back(add({{}, all, place, {}}, until));
    }
  }
  send(due);
  return tokens;
}

bool reply_desk::has_room(std::size_t more, std::vector<due_answer>& due) {
  if (waiters_.size() + more > waiters_max) forget_late(std::chrono::steady_clock::now(), due);
  return waiters_.size() + more <= waiters_max;
}

reply_token reply_desk::add(waiter one, time_point until) {
  const auto token = ++last_;
  one.until = by_time_.emplace(until, token);
  waiters_.emplace(token, std::move(one));
  return token;
}

void reply_desk::forget_late(time_point now, std::vector<due_answer>& due) {
  while (!by_time_.empty() && by_time_.begin()->first <= now) {
    const auto late = waiters_.find(by_time_.begin()->second);
    if (late->second.part_of) say(*late->second.part_of, due);
    waiters_.erase(late);
    by_time_.erase(by_time_.begin());
  }
}

void reply_desk::say(gathering& of, std::vector<due_answer>& due) {
  if (std::exchange(of.said, true)) return;
  due.push_back({of.from, of.answer.so_far(), of.answer.epoch()});
}

void reply_desk::answer(reply_token to, const reply& what, std::uint64_t epoch) {
  if (to == 0) return;
  std::vector<due_answer> due;
  {
    const std::lock_guard hold(guard_);
    const auto found = waiters_.find(to);
    if (found == waiters_.end()) return;
    auto who = std::move(found->second);
    by_time_.erase(who.until);
    waiters_.erase(found);
    if (!who.part_of) {
      due.push_back({std::move(who.from), what, epoch});
    } else {
      who.part_of->answer.add(who.place, what, epoch);
      if (who.part_of->answer.complete()) say(*who.part_of, due);
    }
    forget_late(std::chrono::steady_clock::now(), due);
  }
  send(due);
}

void reply_desk::answer_overdue(time_point now) {
  std::vector<due_answer> due;
  {
    const std::lock_guard hold(guard_);
    forget_late(now, due);
  }
  send(due);
}

void reply_desk::send(const std::vector<due_answer>& due) {
  for (const auto& one : due) answer(one.to, one.what, one.epoch);
}

void reply_desk::answer(const io::message& to, const reply& what, std::uint64_t epoch) {
  if (to.reply.empty()) return;
  // A reply that is lost is asked for again under the same id.
  (void)link_.respond(to, {}, codec::encode(what, epoch));
}

}  // namespace throughline::state_sync
