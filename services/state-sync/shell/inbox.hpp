#pragma once
// A bounded queue between threads: many put, one or more take what has piled up (design 3.6). Full is a verdict, not a
// wait (G8). Control items of the process itself (`put_always`) are few and never refused.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

namespace throughline::state_sync {

struct inbox_bounds {
  std::size_t items = 0;
  std::size_t bytes = 0;
};

template <class T>
class inbox {
 public:
  using clock = std::chrono::steady_clock;

  explicit inbox(inbox_bounds most) : most_(most) {}

  /// False, and `item` untouched, when a bound is reached or the inbox is closed.
  [[nodiscard]] bool put(T& item, std::size_t weight) {
    const std::lock_guard hold(guard_);
    if (closed_ || items_.size() >= most_.items || bytes_ + weight > most_.bytes) return false;
    add(std::move(item), weight);
    return true;
  }

  void put_always(T item) {
    const std::lock_guard hold(guard_);
    add(std::move(item), 0);
  }

  /// Everything there, in order, within `at_most` (one item at least); waits until `until` for the first one. Empty
  /// when the time is over or the inbox is closed and empty.
  std::vector<T> take(inbox_bounds at_most, clock::time_point until) {
    std::unique_lock hold(guard_);
    arrived_.wait_until(hold, until, [this] { return closed_ || !items_.empty(); });
    std::vector<T> taken;
    std::size_t weight = 0;
    while (!items_.empty() && taken.size() < at_most.items) {
      const auto next = items_.front().second;
      if (!taken.empty() && weight + next > at_most.bytes) break;
      weight += next;
      bytes_ -= next;
      taken.push_back(std::move(items_.front().first));
      items_.pop_front();
    }
    return taken;
  }

  /// Those that `unwanted` says, out of turn.
  template <class Predicate>
  std::vector<T> take_if(Predicate unwanted) {
    const std::lock_guard hold(guard_);
    std::vector<T> taken;
    std::erase_if(items_, [&](std::pair<T, std::size_t>& each) {
      if (!unwanted(std::as_const(each.first))) return false;
      bytes_ -= each.second;
      taken.push_back(std::move(each.first));
      return true;
    });
    return taken;
  }

  /// Nothing is put any more; what is there can be taken.
  void close() {
    const std::lock_guard hold(guard_);
    closed_ = true;
    arrived_.notify_all();
  }

  bool drained() const {
    const std::lock_guard hold(guard_);
    return closed_ && items_.empty();
  }
  std::size_t size() const {
    const std::lock_guard hold(guard_);
    return items_.size();
  }

 private:
  void add(T item, std::size_t weight) {
    items_.emplace_back(std::move(item), weight);
    bytes_ += weight;
    arrived_.notify_one();
  }

  const inbox_bounds most_;
  mutable std::mutex guard_;
  std::condition_variable arrived_;
  std::deque<std::pair<T, std::size_t>> items_;
  std::size_t bytes_ = 0;
  bool closed_ = false;
};

}  // namespace throughline::state_sync
