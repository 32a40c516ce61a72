#include "common/io/nats/nats_asio.hpp"

#include <thread>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

#include "tests/support/servers.hpp"

using namespace throughline;
using namespace throughline::io;
using namespace throughline::testing;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

/// A loop with a link on it. `run` runs a coroutine to its end, 20 s at most.
struct loop_with_link {
  nats_server server;
  asio::io_context loop{1};
  std::unique_ptr<nats_link> link = make_nats_link(loop, {server.url(), "", "asio", {}});
  bool connected = false;

  loop_with_link() {
    link->on_connected([this] { connected = true; });
    link->start();
    run([this]() -> asio::awaitable<void> {
      asio::steady_timer pause(loop);
      while (!connected) {
        pause.expires_after(2ms);
        co_await pause.async_wait(asio::use_awaitable);
      }
    });
  }

  template <class Body>
  void run(Body body) {
    bool done = false;
    asio::co_spawn(loop, body(), [&](const std::exception_ptr& fault) {
      done = true;
      if (fault) std::rethrow_exception(fault);
    });
    run_until(done);
  }

  void run_until(const bool& done) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    loop.restart();  // it stopped when it had nothing to do
    while (!done && std::chrono::steady_clock::now() < deadline) loop.run_one_for(100ms);
    REQUIRE(done);
  }
};

}  // namespace

TEST_CASE("a request is awaited, and everything runs on the loop's thread") {
  loop_with_link on;
  const auto me = std::this_thread::get_id();
  std::thread::id handled_on;
  const auto echo = on.link->subscribe("a.echo", "", [&](const message& m) {
    handled_on = std::this_thread::get_id();
    on.link->respond(m, {}, m.body + "!");
  });
  const auto mute = on.link->subscribe("a.mute", "", [](const message&) {});
  on.run([&]() -> asio::awaitable<void> {
    const auto answer = co_await request(*on.link, {"a.echo", ""}, {}, "hello", 5s);
    REQUIRE(answer.has_value());
    CHECK(answer->body == "hello!");
    CHECK(std::this_thread::get_id() == me);
    const auto nobody = co_await request(*on.link, {"a.nobody", ""}, {}, "", 5s);
    CHECK(nobody.error().code == "no_responders");
    const auto late = co_await request(*on.link, {"a.mute", ""}, {}, "", 50ms);
    CHECK(late.error().code == "timeout");
  });
  CHECK(handled_on == me);
}

TEST_CASE("cancelling the coroutine ends its request") {
  loop_with_link on;
  asio::cancellation_signal cancel;
  std::string code;
  const auto mute =
      on.link->subscribe("a.mute", "", [&](const message&) { cancel.emit(asio::cancellation_type::all); });
  bool done = false;
  asio::co_spawn(
      on.loop,
      [&]() -> asio::awaitable<void> {
        const auto answer = co_await request(*on.link, {"a.mute", ""}, {}, "", 60s);
        code = answer ? "answered" : answer.error().code;
      },
      asio::bind_cancellation_slot(cancel.slot(), [&](const std::exception_ptr&) { done = true; }));
  on.run_until(done);
  CHECK(code == "cancelled");
}

TEST_CASE("a link that ends under a waiting coroutine lets it go, and a drain still posted does nothing") {
  loop_with_link on;
  struct seen_going {
    bool* gone;
    ~seen_going() { *gone = true; }
  };
  bool gone = false;
  bool asked = false;
  const auto mute = on.link->subscribe("a.mute", "", [&](const message&) { asked = true; });
  asio::co_spawn(
      on.loop,
      [&]() -> asio::awaitable<void> {
        const seen_going mark{&gone};
        co_await request(*on.link, {"a.mute", ""}, {}, "", 60s);
      },
      [](const std::exception_ptr&) {});
  on.run_until(asked);
  on.link->publish("a.mute", {}, "");
  on.link.reset();
  on.loop.poll();
  CHECK(gone);
}
