#pragma once
// Shuts sockets down whose user waited too long. A blocked libpq call then fails at once; a COMMIT becomes in doubt,
// which is the truth (design 3.4). It never cancels.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace throughline::io {

/// Our own descriptor of a connection's socket: it stays ours when libpq closes its, so what is shut down is never a
/// stranger's.
class shared_socket {
 public:
  explicit shared_socket(int of);  ///< throws std::system_error
  ~shared_socket();
  shared_socket(const shared_socket&) = delete;
  shared_socket& operator=(const shared_socket&) = delete;

  void shut_down() noexcept;
  bool is_shut_down() const { return shut_down_; }

 private:
  int socket_;
  std::atomic<bool> shut_down_ = false;
};

class watchdog {
 public:
  /// While it lives, the socket is under watch.
  class guard {
   public:
    guard(watchdog& dog, std::uint64_t number) : dog_(&dog), number_(number) {}
    guard(guard&& other) noexcept : dog_(std::exchange(other.dog_, nullptr)), number_(other.number_) {}
    guard& operator=(guard&&) = delete;
    ~guard() {
      if (dog_ != nullptr) dog_->release(number_);
    }

   private:
    watchdog* dog_;
    std::uint64_t number_;
  };

  watchdog();
  ~watchdog();
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;

  [[nodiscard]] guard watch(std::shared_ptr<shared_socket> socket, std::chrono::milliseconds longest);

 private:
  using clock = std::chrono::steady_clock;
  struct watched {
    clock::time_point deadline;
    std::shared_ptr<shared_socket> socket;
  };

  void release(std::uint64_t number);
  void run();

  std::mutex guard_;
  std::condition_variable changed_;
  std::map<std::uint64_t, watched> under_watch_;
  clock::time_point wakes_at_ = clock::time_point::max();
  std::uint64_t last_number_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace throughline::io
