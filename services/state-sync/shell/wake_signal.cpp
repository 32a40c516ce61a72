#include "services/state-sync/shell/wake_signal.hpp"

#include <cerrno>
#include <cstdint>
#include <system_error>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace throughline::state_sync {

wake_signal::wake_signal() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (event_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

wake_signal::~wake_signal() {
  close(event_);
}

void wake_signal::set() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(event_, &one, sizeof one);  // full means set
}

bool wake_signal::wait(int socket, std::chrono::milliseconds longest) {
  pollfd watched[2] = {{event_, POLLIN, 0}, {socket, POLLIN, 0}};
  poll(watched, 2, static_cast<int>(longest.count()));
  std::uint64_t count = 0;
  [[maybe_unused]] const auto taken = read(event_, &count, sizeof count);
  return watched[1].revents != 0;
}

}  // namespace throughline::state_sync
