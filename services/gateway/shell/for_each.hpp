#pragma once
// One coroutine for each of many, a bounded number of them at once.

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "common/io/net/event_loop.hpp"

namespace throughline::gateway {

namespace detail {

template <class Value>
using task_of = std::function<boost::asio::awaitable<void>(Value)>;

template <class Value>
struct shared_work {
  shared_work(io::event_loop& loop, std::vector<Value> each, task_of<Value> task)
      : all(std::move(each)), what(std::move(task)), ended(loop.context()) {}

  std::vector<Value> all;
  task_of<Value> what;
  io::notifier ended;
  std::size_t next = 0;
  std::size_t running = 0;
};

/// Leaves the work when it is destroyed: also where an exception ends the coroutine.
template <class Value>
class worker {
 public:
  explicit worker(std::shared_ptr<shared_work<Value>> work) : work_(std::move(work)) { ++work_->running; }
  ~worker() {
    --work_->running;
    work_->ended.notify();
  }
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  static boost::asio::awaitable<void> run(std::shared_ptr<worker> self) {
    auto& work = *self->work_;
    while (work.next < work.all.size()) co_await work.what(std::move(work.all[work.next++]));
  }

 private:
  std::shared_ptr<shared_work<Value>> work_;
};

}  // namespace detail

/// Resumes when `what` has ended for all. An exception of `what` ends the worker that had it, not the others.
template <class Value>
boost::asio::awaitable<void> for_each_at_most(io::event_loop& loop, std::size_t most, std::vector<Value> all,
                                              std::type_identity_t<detail::task_of<Value>> what) {
  using work_of = detail::shared_work<Value>;
  const auto workers = std::min(most, all.size());
  const auto work = std::make_shared<work_of>(loop, std::move(all), std::move(what));
  for (std::size_t i = 0; i < workers; ++i) {
    loop.spawn(detail::worker<Value>::run(std::make_shared<detail::worker<Value>>(work)));
  }
  while (work->running > 0) co_await work->ended.wait();
}

}  // namespace throughline::gateway
