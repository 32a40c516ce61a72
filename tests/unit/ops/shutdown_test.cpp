#include "common/ops/shutdown.hpp"

#include <atomic>
#include <csignal>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace throughline::ops;
using namespace std::chrono_literals;

namespace {

/// Exit status of a process of its own that runs `what`, since signals are for a whole process.
template <class What>
int status_of(What what) {
  const auto child = fork();
  if (child == 0) _exit(what());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("a signal is an event, once") {
  for (const int number : {SIGTERM, SIGINT}) {
    CHECK(status_of([number] {
            shutdown_signal shutdown;
            std::atomic<int> calls = 0;
            shutdown.on_request([&] { ++calls; });
            if (shutdown.requested() || shutdown.wait_for(1ms)) return 10;
            kill(getpid(), number);
            shutdown.wait();
            if (!shutdown.requested()) return 11;
            shutdown.request();
            while (calls == 0) usleep(100);
            return calls == 1 ? 0 : 12;
          }) == 0);
  }
}

TEST_CASE("a callback that comes late is called at once") {
  CHECK(status_of([] {
          shutdown_signal shutdown;
          shutdown.request();
          bool called = false;
          shutdown.on_request([&] { called = true; });
          return called ? 0 : 1;
        }) == 0);
}

TEST_CASE(
    "a drain that does not end is ended, and so is one that a person interrupts; a repeated SIGTERM is no hurry") {
  CHECK(status_of([] {
          shutdown_signal shutdown;
          shutdown.limit(20ms);
          kill(getpid(), SIGTERM);
          for (;;) pause();
          return 0;
        }) == 1);
  CHECK(status_of([] {
          shutdown_signal shutdown;
          shutdown.limit(1h);
          kill(getpid(), SIGTERM);
          shutdown.wait();
          kill(getpid(), SIGINT);
          for (;;) pause();
          return 0;
        }) == 1);
  CHECK(status_of([] {
          shutdown_signal shutdown;
          shutdown.limit(1h);
          kill(getpid(), SIGTERM);
          shutdown.wait();
          kill(getpid(), SIGTERM);
          sigset_t waiting;
          do sigpending(&waiting);
          while (sigismember(&waiting, SIGTERM) == 1);
          return 0;  // once the signal thread, which has taken it, has been joined
        }) == 0);
}

TEST_CASE("a broken pipe ends nobody") {
  CHECK(status_of([] {
          shutdown_signal shutdown;
          int ends[2];
          if (pipe(ends) != 0) return 1;
          close(ends[0]);
          return write(ends[1], "x", 1) == -1 ? 0 : 2;
        }) == 0);
}
