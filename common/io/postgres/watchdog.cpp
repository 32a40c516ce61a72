#include "common/io/postgres/watchdog.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace throughline::io {

shared_socket::shared_socket(int of) : socket_(fcntl(of, F_DUPFD_CLOEXEC, 0)) {
  if (socket_ < 0) throw std::system_error(errno, std::generic_category(), "dup of a database socket");
}

shared_socket::~shared_socket() {
  close(socket_);
}

void shared_socket::shut_down() noexcept {
  shut_down_ = true;
  shutdown(socket_, SHUT_RDWR);
}

watchdog::watchdog() : thread_([this] { run(); }) {}

watchdog::~watchdog() {
  {
    const std::scoped_lock lock(guard_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

watchdog::guard watchdog::watch(std::shared_ptr<shared_socket> socket, std::chrono::milliseconds longest) {
  const auto deadline = clock::now() + longest;
  std::uint64_t number = 0;
  bool earliest = false;
  {
    const std::scoped_lock lock(guard_);
    number = ++last_number_;
    under_watch_.emplace(number, watched{deadline, std::move(socket)});
    earliest = deadline < wakes_at_;
  }
  if (earliest) changed_.notify_all();
  return {*this, number};
}

void watchdog::release(std::uint64_t number) {
  const std::scoped_lock lock(guard_);
  under_watch_.erase(number);
}

void watchdog::run() {
  std::unique_lock lock(guard_);
  while (!stopping_) {
    const auto now = clock::now();
    wakes_at_ = clock::time_point::max();
    std::erase_if(under_watch_, [&](auto& each) {
      if (each.second.deadline > now) {
        wakes_at_ = std::min(wakes_at_, each.second.deadline);
        return false;
      }
      each.second.socket->shut_down();
      return true;
    });
    if (wakes_at_ == clock::time_point::max()) {
      changed_.wait(lock);
    } else {
      changed_.wait_until(lock, wakes_at_);
    }
  }
}

}  // namespace throughline::io
