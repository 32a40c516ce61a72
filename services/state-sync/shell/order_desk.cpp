#include "services/state-sync/shell/order_desk.hpp"

#include <algorithm>
#include <optional>
#include <ranges>
#include <utility>

#include "common/codec/requests.hpp"
#include "common/codec/subjects.hpp"
#include "common/ops/log.hpp"
#include "services/state-sync/shell/pending_input.hpp"

namespace throughline::state_sync {
namespace {

constexpr std::size_t orders_per_attachment_max = 1024;
/// An owner in doubt looks again after this long.
constexpr std::chrono::milliseconds doubt_pause{100};

const attachment_id& attachment_of(const bridge_order& o) {
  return std::visit([](const auto& x) -> const attachment_id& { return x.attachment; }, o);
}

/// A word that means nothing to a socket that has been superseded. Whether a prompt was written still matters: one that
/// was not is sent again (6.3).
bool dies_with_socket(const bridge_order& o) {
  const auto* write = std::get_if<write_command>(&o);
  return write != nullptr && !std::holds_alternative<agent::chat_message>(write->body);
}

}  // namespace

order_desk::order_desk(io::nats_link& link, const probe& counts, report tell, standing_of of, order_times times)
    : link_(link), probe_(counts), tell_(std::move(tell)), of_(std::move(of)), times_(times), thread_([this] {
        run();
      }) {}

order_desk::~order_desk() {
  {
    const std::lock_guard hold(guard_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void order_desk::give(order what, std::uint64_t epoch) {
  const std::lock_guard hold(guard_);
  auto& l = lanes_[attachment_of(what.what).text()];
  if (const auto* write = std::get_if<write_command>(&what.what)) {
    const bool known = std::any_of(l.orders.begin(), l.orders.end(), [&](const waiting_order& w) {
      const auto* other = std::get_if<write_command>(&w.what.what);
      return other != nullptr && other->command == write->command;
    });
    if (known) return;
    // More than the core ever has out; after a reload it orders again what is left.
    if (l.orders.size() >= orders_per_attachment_max) return dropped(what, "too many");
    if (l.orders.empty()) restart(l);
    l.orders.push_back({std::move(what), epoch, clock::now(), 0});
  } else {
    // A superseded bridge is stopped before it is asked what it wrote; one that is to close will not be asked.
    const bool closes = std::holds_alternative<close_attachment>(what.what);
    std::erase_if(l.orders, [&](const waiting_order& w) {
      const bool is_write = std::holds_alternative<write_command>(w.what.what);
      return is_write ? closes || dies_with_socket(w.what.what) : w.what.what.index() == what.what.index();
    });
    restart(l);
    l.orders.push_front({std::move(what), epoch, clock::now(), 0});
  }
  changed_.notify_all();
}

void order_desk::restart(lane& l) {
  l.generation = ++generations_;
  l.asked = false;
  l.next_try = {};
}

void order_desk::attachment_is(const attachment_id& id, attachment_state state) {
  if (state == attachment_state::sealed) return attachment_gone(id);
  const std::lock_guard hold(guard_);
  const auto found = lanes_.find(id.text());
  if (found == lanes_.end()) return;
  auto& l = found->second;
  if (state == attachment_state::live && l.orders.front().tries >= times_.tries && !l.asked) {
    l.orders.front().tries = 0;
    l.next_try = {};
    changed_.notify_all();
  }
  if (state != attachment_state::superseded) return;
  std::erase_if(l.orders, [](const waiting_order& w) { return dies_with_socket(w.what.what); });
  restart(l);
  if (l.orders.empty()) lanes_.erase(found);
}

void order_desk::attachment_gone(const attachment_id& id) {
  const std::lock_guard hold(guard_);
  const auto found = lanes_.find(id.text());
  if (found == lanes_.end()) return;
  // The order to close it outlives the attachment's row.
  std::erase_if(found->second.orders,
                [](const waiting_order& w) { return !std::holds_alternative<close_attachment>(w.what.what); });
  found->second.generation = ++generations_;
  found->second.asked = false;
  if (found->second.orders.empty()) lanes_.erase(found);
}

void order_desk::command_gone(const command_id& id) {
  const std::lock_guard hold(guard_);
  for (auto at = lanes_.begin(); at != lanes_.end(); ++at) {
    auto& l = at->second;
    const auto found = std::find_if(l.orders.begin(), l.orders.end(), [&](const waiting_order& w) {
      const auto* write = std::get_if<write_command>(&w.what.what);
      return write != nullptr && write->command == id;
    });
    if (found == l.orders.end()) continue;
    if (found == l.orders.begin()) {
      take_off(l);
    } else {
      l.orders.erase(found);
    }
    if (l.orders.empty()) lanes_.erase(at);
    changed_.notify_all();
    return;
  }
}

void order_desk::forget(shard_number shard) {
  const std::lock_guard hold(guard_);
  std::erase_if(
      lanes_, [shard](const auto& named) { return shard_or_zero(named.second.orders.front().what.session) == shard; });
}

void order_desk::was_deaf_until_now() {
  const std::lock_guard hold(guard_);
  for (auto& l : lanes_ | std::views::values) {
    l.next_try = {};
    for (auto& o : l.orders) {
      o.since = clock::now();
      o.tries = 0;
    }
  }
  changed_.notify_all();
}

std::size_t order_desk::waiting() const {
  const std::lock_guard hold(guard_);
  return lanes_.size();
}

void order_desk::run() {
  std::unique_lock hold(guard_);
  while (!stopping_) {
    const auto next = send_due(hold);
    if (!stopping_) changed_.wait_until(hold, next);
  }
}

order_desk::clock::time_point order_desk::send_due(std::unique_lock<std::mutex>& hold) {
  struct due_order {
    lane_key key;
    std::uint64_t generation;
    waiting_order what;
  };
  const auto now = clock::now();
  auto next = now + times_.pause;
  std::vector<due_order> due;
  for (auto at = lanes_.begin(); at != lanes_.end();) {
    auto& l = at->second;
    if (!l.asked && link_.connected()) drop_old_closings(l);
    const auto here = l.orders.empty() ? standing::stranger : of_(shard_or_zero(l.orders.front().what.session));
    if (here == standing::stranger) {
      at = lanes_.erase(at);
      continue;
    }
    if (here == standing::in_doubt) {
      next = std::min(next, now + doubt_pause);
    } else if (!l.asked && l.next_try <= now) {
      l.asked = true;
      l.sent_at = now;
      ++l.orders.front().tries;
      due.push_back({at->first, l.generation, l.orders.front()});
    } else if (!l.asked) {
      next = std::min(next, l.next_try);
    }
    ++at;
  }
  hold.unlock();
  for (const auto& d : due) send(d.key, d.generation, d.what);
  hold.lock();
  return due.empty() ? next : clock::now();
}

void order_desk::send(const lane_key& key, std::uint64_t generation, const waiting_order& what) {
  const auto* write = std::get_if<write_command>(&what.what.what);
  const question about{what.what.session, generation, write ? std::optional(write->command) : std::nullopt};
  // Asked again, as near to the sending as can be: this thread may have stood still.
  if (of_(shard_or_zero(about.session)) != standing::owner) return answered(key, about, fail("not_sent", "in doubt"));
  probe_.order_sent();
  link_
      .request({codec::bridge_subject(what.what.to), {}}, {}, codec::encode(what.what.what, what.epoch), times_.answer,
               [this, key, about](result<io::message> answer) { answered(key, about, std::move(answer)); })
      .release();
}

void order_desk::answered(const lane_key& key, const question& about, result<io::message> answer) {
  const auto said = answer ? codec::decode_outcome(answer->body) : fail(answer.error().code, answer.error().message);
  // The bridge does not know the attachment, now: the silence rule decides, and the command stays unanswered.
  const bool decided = said && (!about.command || *said != order_outcome::unknown);
  // Told even when the lane has moved on: what was written stays written.
  const bool done =
      decided && (!about.command || tell_(command_outcome{about.session, attachment_id{key}, *about.command,
                                                          *said == order_outcome::written}));
  const std::lock_guard hold(guard_);
  const auto found = lanes_.find(key);
  if (found == lanes_.end() || found->second.generation != about.generation) return;
  auto& l = found->second;
  l.asked = false;
  l.next_try = l.sent_at + pause_after(l.orders.front().tries);
  if (done) take_off(l);
  if (l.orders.empty()) lanes_.erase(found);
  changed_.notify_all();
}

void order_desk::take_off(lane& l) {
  l.orders.pop_front();
  restart(l);
}

void order_desk::drop_old_closings(lane& l) {
  const auto is_old = [oldest = clock::now() - times_.closing](const waiting_order& w) {
    return std::holds_alternative<close_attachment>(w.what.what) && w.since < oldest;
  };
  while (!l.orders.empty() && is_old(l.orders.front())) {
    dropped(l.orders.front().what, "unanswered");
    take_off(l);
  }
}

void order_desk::dropped(const order& what, const char* why) const {
  probe_.order_dropped();
  ops::log::warn("order_dropped",
                 {{"session", what.session.text()}, {"attachment", attachment_of(what.what).text()}, {"why", why}});
}

std::chrono::milliseconds order_desk::pause_after(unsigned tries) const {
  if (tries >= times_.tries) return times_.rarely;
  return std::min(times_.answer * (1u << std::min(std::max(tries, 1u) - 1, 3u)), times_.pause);
}

}  // namespace throughline::state_sync
