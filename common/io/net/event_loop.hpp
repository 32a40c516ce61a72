#pragma once
// One thread's loop: everything of a connection, its timers included, runs on it, so nothing there needs a lock.
// Owned by `main`, made first and destroyed last.

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

namespace throughline::io {

class event_loop {
 public:
  using clock = std::chrono::steady_clock;
  /// `fault` hears of an exception that left a task: the task has ended, the loop goes on.
  using fault_observer = std::function<void(std::string_view what)>;

  explicit event_loop(fault_observer fault = {});
  ~event_loop();
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;

  boost::asio::io_context& context() { return context_; }

  void run();   ///< on the calling thread until `stop`; waits for work when there is none
  void stop();  ///< any thread; what waits is destroyed with the loop
  /// Runs `task` on the loop, later. Any thread.
  void post(std::function<void()> task);
  /// Starts a coroutine on the loop. An exception that leaves it goes to the fault observer. Loop's thread, or before
  /// `run`.
  void spawn(boost::asio::awaitable<void> task);
  void report_fault(std::string_view what) const;

 private:
  boost::asio::io_context context_{1};
  fault_observer fault_;
};

/// Resumes the calling coroutine after `how_long`, on its own loop.
boost::asio::awaitable<void> sleep_for(std::chrono::steady_clock::duration how_long);

/// Wakes one coroutine of the same loop. Notifications are not counted: several before a wait are one.
class notifier {
 public:
  explicit notifier(boost::asio::io_context& loop);
  ~notifier();
  notifier(const notifier&) = delete;
  notifier& operator=(const notifier&) = delete;

  void notify();
  /// At once when notified since the last wait. One waiter at a time; a destroyed notifier wakes its waiter.
  boost::asio::awaitable<void> wait();
  /// True iff notified, false when `longest` has passed.
  boost::asio::awaitable<bool> wait_for(std::chrono::steady_clock::duration longest);

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace throughline::io
