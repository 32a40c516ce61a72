#pragma once
// SIGTERM and SIGINT as an event that loops and threads can wait for.

#include <chrono>
#include <functional>
#include <memory>

namespace throughline::ops {

/// One per process, made first thing in `main`, before any thread: it blocks the two signals in this thread and those
/// it starts, and reads them on a thread of its own. It also ignores SIGPIPE.
class shutdown_signal {
 public:
  shutdown_signal();
  ~shutdown_signal();
  shutdown_signal(const shutdown_signal&) = delete;
  shutdown_signal& operator=(const shutdown_signal&) = delete;

  /// Called once, on the signal thread, when the first signal arrives (at once, on this thread, if it has). Must not
  /// block: post to a loop, notify a thread. The last one registered holds; an empty one takes it back.
  void on_request(std::function<void()> callback);
  /// The process has that long from the request (design 5.1, drain-timeout): if it is still there then, it is ended
  /// with status 1. A SIGINT after the request does the same at once.
  void limit(std::chrono::milliseconds drain_timeout);

  bool requested() const;
  void wait();                                       ///< until requested
  bool wait_for(std::chrono::milliseconds longest);  ///< true iff requested
  void request();                                    ///< as if a signal had come

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace throughline::ops
