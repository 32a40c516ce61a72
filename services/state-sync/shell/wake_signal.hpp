#pragma once
// Wakes a thread that waits for a socket, or for nothing but time. `set` from any thread.

#include <chrono>

namespace throughline::state_sync {

class wake_signal {
 public:
  wake_signal();
  ~wake_signal();
  wake_signal(const wake_signal&) = delete;
  wake_signal& operator=(const wake_signal&) = delete;

  /// The next `wait` returns at once, or the one that waits.
  void set();
  /// Until `set`, until `socket` (-1: none) is readable or at its end, or for `longest`. True when it is the socket.
  bool wait(int socket, std::chrono::milliseconds longest);

 private:
  int event_;
};

}  // namespace throughline::state_sync
