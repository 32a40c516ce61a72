#include "common/ops/shutdown.hpp"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/ops/log.hpp"

namespace throughline::ops {
namespace {

using clock = std::chrono::steady_clock;

int opened(int descriptor, const char* what) {
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), what);
  return descriptor;
}

sigset_t the_two() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

struct shutdown_signal::state {
  mutable std::mutex guard;
  std::condition_variable happened;
  bool requested = false;
  bool stopping = false;
  std::function<void()> callback;
  std::optional<std::chrono::milliseconds> drain_timeout;
  std::optional<clock::time_point> requested_at;

  int signals = -1;
  int nudge = -1;  // wakes the thread
  std::thread thread;

  void run();
  void request();
  std::optional<clock::time_point> deadline() const;
  void poke() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(nudge, &one, sizeof one);
  }
};

std::optional<clock::time_point> shutdown_signal::state::deadline() const {
  if (!requested_at || !drain_timeout) return std::nullopt;
  return *requested_at + *drain_timeout;
}

void shutdown_signal::state::request() {
  std::function<void()> call;
  {
    const std::scoped_lock lock(guard);
    if (requested) return;
    requested = true;
    requested_at = clock::now();
    call = callback;
  }
  happened.notify_all();
  poke();
  if (call) call();
}

namespace {

[[noreturn]] void end_process(const char* why) {
  log::error("ended_without_drain", {{"reason", why}});
  log::stop();
  std::_Exit(1);
}

}  // namespace

void shutdown_signal::state::run() {
  for (;;) {
    int wait_ms = -1;
    {
      const std::scoped_lock lock(guard);
      if (stopping) return;
      if (const auto until = deadline()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - clock::now()).count();
        if (left <= 0) end_process("drain timeout");
        wait_ms = static_cast<int>(std::min<std::int64_t>(left, 60'000));
      }
    }
    pollfd wanted[2] = {{signals, POLLIN, 0}, {nudge, POLLIN, 0}};
    poll(wanted, 2, wait_ms);
    if ((wanted[1].revents & POLLIN) != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const auto got = read(nudge, &count, sizeof count);
    }
    if ((wanted[0].revents & POLLIN) == 0) continue;
    signalfd_siginfo info{};
    if (read(signals, &info, sizeof info) != sizeof info) continue;
    bool again = false;
    {
      const std::scoped_lock lock(guard);
      again = requested;
    }
    // Whoever supervises may say SIGTERM more than once; a person who insists presses Ctrl-C.
    if (again && info.ssi_signo == SIGINT) end_process("interrupted again");
    if (!again) request();
  }
}

shutdown_signal::shutdown_signal() : state_(std::make_unique<state>()) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto set = the_two();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  state_->signals = opened(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd");
  state_->nudge = opened(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
  state_->thread = std::thread([this] { state_->run(); });
}

shutdown_signal::~shutdown_signal() {
  {
    const std::scoped_lock lock(state_->guard);
    state_->stopping = true;
  }
  state_->poke();
  state_->thread.join();
  close(state_->signals);
  close(state_->nudge);
}

void shutdown_signal::on_request(std::function<void()> callback) {
  {
    const std::scoped_lock lock(state_->guard);
    state_->callback = std::move(callback);
    callback = state_->requested ? state_->callback : nullptr;
  }
  if (callback) callback();
}

void shutdown_signal::limit(std::chrono::milliseconds drain_timeout) {
  {
    const std::scoped_lock lock(state_->guard);
    state_->drain_timeout = drain_timeout;
  }
  state_->poke();
}

bool shutdown_signal::requested() const {
  const std::scoped_lock lock(state_->guard);
  return state_->requested;
}

void shutdown_signal::wait() {
  std::unique_lock lock(state_->guard);
  state_->happened.wait(lock, [this] { return state_->requested; });
}

bool shutdown_signal::wait_for(std::chrono::milliseconds longest) {
  std::unique_lock lock(state_->guard);
  return state_->happened.wait_for(lock, longest, [this] { return state_->requested; });
}

void shutdown_signal::request() {
  state_->request();
}

}  // namespace throughline::ops
