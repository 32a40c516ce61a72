#include "common/io/nats/delivery.hpp"

#include <algorithm>
#include <iterator>

#include "common/io/nats/subscription_state.hpp"

namespace throughline::io::detail {

void delivery::run(item& next) {
  if (next.to) {
    next.to->run_admitted(std::move(next.what));
  } else {
    next.call();
  }
}

void delivery::post(item next) {
  bool first = false;
  {
    const std::scoped_lock lock(guard_);
    if (closed_) return;
    first = waiting_.empty();
    waiting_.push_back(std::move(next));
  }
  if (first) wake_();
}

void delivery::drain() {
  std::vector<item> batch;
  {
    const std::scoped_lock lock(guard_);
    batch.swap(waiting_);
  }
  for (auto next = batch.begin(); next != batch.end(); ++next) {
    try {
      run(*next);
    } catch (...) {
      put_back({std::make_move_iterator(next + 1), std::make_move_iterator(batch.end())});
      throw;
    }
  }
}

void delivery::put_back(std::vector<item> rest) {
  if (rest.empty()) return;
  {
    const std::scoped_lock lock(guard_);
    if (closed_) return;
    std::ranges::move(waiting_, std::back_inserter(rest));
    waiting_ = std::move(rest);
  }
  wake_();
}

void delivery::close() {
  std::vector<item> dropped;
  const std::scoped_lock lock(guard_);
  closed_ = true;
  dropped.swap(waiting_);
}

}  // namespace throughline::io::detail
