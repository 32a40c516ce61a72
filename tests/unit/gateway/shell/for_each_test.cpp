#include "services/gateway/shell/for_each.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace throughline;

namespace {

namespace asio = boost::asio;

struct world {
  std::size_t faults = 0;
  io::event_loop loop{[this](std::string_view) { ++faults; }};
  io::notifier gate{loop.context()};
  std::vector<int> done;
  std::size_t running = 0;
  std::size_t most = 0;

  asio::awaitable<void> one(int n) {
    most = std::max(most, ++running);
    // The first one ends once three are under way: one after the other, it never would.
    if (n == 0) {
      co_await gate.wait();
    } else if (running == 3) {
      gate.notify();
    }
    co_await io::sleep_for(a_turn);
    --running;
    if (n == 5) throw std::runtime_error("five");
    done.push_back(n);
  }
  asio::awaitable<void> all(std::vector<int> numbers) {
    co_await gateway::for_each_at_most(loop, 3, std::move(numbers), [this](int n) { return one(n); });
    loop.stop();
  }

  static constexpr std::chrono::milliseconds a_turn{1};
};

}  // namespace

TEST_CASE("each is done once, several at a time, and never more than allowed") {
  world w;
  w.loop.spawn(w.all({0, 1, 2, 3, 4, 6, 7, 8, 9}));
  w.loop.run();
  std::ranges::sort(w.done);
  CHECK(w.done == std::vector{0, 1, 2, 3, 4, 6, 7, 8, 9});
  CHECK(w.most == 3);
  CHECK(w.faults == 0);
}

TEST_CASE("with nothing to do it ends at once, and one that throws keeps the others from nothing") {
  world none;
  none.loop.spawn(none.all({}));
  none.loop.run();
  CHECK(none.done.empty());

  world w;
  w.loop.spawn(w.all({0, 1, 2, 3, 5, 6, 7}));
  w.loop.run();
  std::ranges::sort(w.done);
  CHECK(w.done == std::vector{0, 1, 2, 3, 6, 7});
  CHECK(w.faults == 1);
}
