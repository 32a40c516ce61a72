#include "common/io/net/event_loop.hpp"

#include <exception>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace throughline::io {
namespace asio = boost::asio;

event_loop::event_loop(fault_observer fault) : fault_(std::move(fault)) {}
event_loop::~event_loop() = default;

void event_loop::run() {
  const auto work = asio::make_work_guard(context_);
  while (!context_.stopped()) {
    try {
      context_.run();
    } catch (const std::exception& e) {
      report_fault(e.what());
    }
  }
}

void event_loop::stop() {
  context_.stop();
}

void event_loop::post(std::function<void()> task) {
  asio::post(context_, std::move(task));
}

void event_loop::spawn(asio::awaitable<void> task) {
  asio::co_spawn(context_, std::move(task), [this](std::exception_ptr fault) {
    if (!fault) return;
    try {
      std::rethrow_exception(fault);
    } catch (const std::exception& e) {
      report_fault(e.what());
    } catch (...) {
      report_fault("unknown exception");
    }
  });
}

void event_loop::report_fault(std::string_view what) const {
  if (fault_) fault_(what);
}

asio::awaitable<void> sleep_for(std::chrono::steady_clock::duration how_long) {
  asio::steady_timer timer(co_await asio::this_coro::executor, how_long);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

struct notifier::state {
  explicit state(asio::io_context& loop) : timer(loop) {}

  static asio::awaitable<bool> wait(std::shared_ptr<state> self, asio::steady_timer::time_point until) {
    if (!self->notified && !self->ended) {
      self->timer.expires_at(until);
      co_await self->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    co_return std::exchange(self->notified, false) || self->ended;
  }

  asio::steady_timer timer;
  bool notified = false;
  bool ended = false;
};

notifier::notifier(asio::io_context& loop) : state_(std::make_shared<state>(loop)) {}

notifier::~notifier() {
  state_->ended = true;
  state_->timer.cancel();
}

void notifier::notify() {
  if (std::exchange(state_->notified, true)) return;
  state_->timer.cancel();
}

asio::awaitable<void> notifier::wait() {
  co_await state::wait(state_, asio::steady_timer::time_point::max());
}

asio::awaitable<bool> notifier::wait_for(std::chrono::steady_clock::duration longest) {
  return state::wait(state_, asio::steady_timer::clock_type::now() + longest);
}

}  // namespace throughline::io
