// The keeper's and the timer's side of link_state.

#include <algorithm>

#include <fmt/format.h>

#include "common/base/ulid.hpp"
#include "common/io/nats/link_state.hpp"

namespace throughline::io::detail {
namespace {

// Pauses between attempts to connect double from the first to the last; each is jittered to 50..100 %.
constexpr std::chrono::milliseconds retry_first{100};
constexpr std::chrono::milliseconds retry_last{1'000};
// How often the joiner is aged and episodes of dropping are looked at, when nothing is due before.
constexpr std::chrono::milliseconds tick_every{250};
// Nothing dropped for this long ends an episode (design 3.7).
constexpr std::chrono::seconds episode_settled_after{1};

}  // namespace

void link_state::keep() {
  id_source chance(system_entropy());
  auto pause = retry_first;
  for (;;) {
    {
      const std::scoped_lock lock(keeper_guard_);
      if (stopping_) return;
      lost_ = false;
    }
    const auto first = static_cast<std::size_t>(chance.next());  // processes spread over the servers of a cluster
    const bool both = open_client(*talk_, first) && open_client(*bulk_, first);
    std::unique_lock lock(keeper_guard_);
    if (stopping_) return;
    if (both && !lost_) {
      pause = retry_first;
      why_not_.clear();
      if (!announced_.exchange(true) && tell.connected) post_event(tell.connected);
      keeper_wanted_.wait(lock, [this] { return stopping_ || lost_; });
    } else {
      const auto jittered = pause / 2 + pause * (chance.next() % 1000) / 2000;
      keeper_wanted_.wait_for(lock, jittered, [this] { return stopping_; });
      pause = std::min(pause * 2, retry_last);
    }
  }
}

bool link_state::open_client(nats_client& which, std::size_t first) {
  if (which.is_open()) return true;
  if (auto made = which.connect(first); !made) {
    refused(std::move(made.error().message));
    return false;
  }
  if (is_stopping()) return false;
  if (&which == talk_.get()) restore_subscriptions();
  return which.open().has_value();
}

bool link_state::is_stopping() {
  const std::scoped_lock lock(keeper_guard_);
  return stopping_;
}

/// Told again only when it is another reason than the last.
void link_state::refused(std::string why) {
  if (why == why_not_) return;
  why_not_ = std::move(why);
  if (tell.refused) post_event([this, reason = why_not_] { tell.refused(reason); });
}

void link_state::connection_lost(std::uint64_t connection) {
  {
    const std::scoped_lock lock(keeper_guard_);
    if (stopping_) return;
    lost_ = true;
    if (announced_.exchange(false) && tell.disconnected) post_event(tell.disconnected);
  }
  keeper_wanted_.notify_all();
  fail_requests(requests_->take_sent_on(connection), "connection_lost", "the connection to NATS broke");
}

void link_state::fail_requests(const std::vector<link_requests::request>& which, const char* code, const char* reason) {
  for (const auto& each : which) {
    post_event([each, code, reason] { each->complete(fail(code, reason)); });
  }
}

void link_state::post_event(std::function<void()> call) {
  if (delivery_.batched()) {
    delivery_.post({nullptr, {}, std::move(call)});
    return;
  }
  {
    const std::scoped_lock lock(timer_guard_);
    calls_.push_back(std::move(call));
  }
  timer_wanted_.notify_all();
}

void link_state::run_timer() {
  std::unique_lock lock(timer_guard_);
  while (!timer_stopping_) {
    if (!calls_.empty()) {
      const auto call = std::move(calls_.front());
      calls_.pop_front();
      lock.unlock();
      call();
      lock.lock();
      continue;
    }
    const auto now = clock::now();
    timer_wakes_at_ = now + tick_every;  // a request made from here on lowers it
    lock.unlock();
    tick(now);
    const auto deadline = requests_->next_deadline();
    lock.lock();
    if (deadline) timer_wakes_at_ = std::min(timer_wakes_at_, *deadline);
    timer_wanted_.wait_until(lock, timer_wakes_at_,
                             [this] { return timer_stopping_ || !calls_.empty() || clock::now() >= timer_wakes_at_; });
  }
}

void link_state::wake_timer_by(clock::time_point deadline) {
  {
    const std::scoped_lock lock(timer_guard_);
    if (deadline >= timer_wakes_at_) return;
    timer_wakes_at_ = deadline;
  }
  timer_wanted_.notify_all();
}

void link_state::tick(clock::time_point now) {
  fail_requests(requests_->take_overdue(now), "timeout", "no answer in time");
  {
    const std::scoped_lock lock(joiner_guard_);
    joiner_.expire(now);
  }
  watch_episodes(now);
}

void link_state::note_dropping(std::uint64_t subscription) {
  const auto of = find(subscription);
  if (!of) return;
  {
    const std::scoped_lock lock(timer_guard_);
    if (!episodes_.emplace(subscription, episode{0, clock::now()}).second) return;
  }
  if (tell.dropped) post_event([this, subject = of->subject()] { tell.dropped(subject); });
}

void link_state::watch_episodes(clock::time_point now) {
  std::vector<std::string> settled;
  {
    const std::scoped_lock lock(timer_guard_);
    for (auto at = episodes_.begin(); at != episodes_.end();) {
      const auto of = find(at->first);
      const auto count = of ? dropped(*of) : at->second.dropped;
      if (of && count != at->second.dropped) {
        at->second = {count, now};
      } else if (!of || now - at->second.moved_at >= episode_settled_after) {
        if (of) settled.push_back(of->subject());
        at = episodes_.erase(at);
        continue;
      }
      ++at;
    }
  }
  if (settled.empty() || !tell.dropped) return;
  for (auto& subject : settled) {
    post_event([this, subject = std::move(subject)] { tell.dropped(subject); });
  }
}

std::shared_ptr<subscription_state> link_state::find(std::uint64_t subscription) const {
  const std::scoped_lock lock(subscriptions_guard_);
  const auto found = subscriptions_.find(subscription);
  return found == subscriptions_.end() ? nullptr : found->second.lock();
}

}  // namespace throughline::io::detail
