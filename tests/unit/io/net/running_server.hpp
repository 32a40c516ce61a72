#pragma once
// A server with given behaviour, on a loop of its own thread.

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "common/io/net/event_loop.hpp"
#include "common/io/net/http_server.hpp"

namespace throughline::testing {

struct behaviour final : io::request_handler {
  std::function<boost::asio::awaitable<io::http_result>(io::http_request&)> on_request;
  std::function<boost::asio::awaitable<io::upgrade_result>(io::http_request&)> on_upgrade;

  boost::asio::awaitable<io::http_result> serve(io::http_request& request) override { return on_request(request); }
  boost::asio::awaitable<io::upgrade_result> upgrade(io::http_request& request) override { return on_upgrade(request); }
};

class running_server {
 public:
  explicit running_server(std::shared_ptr<behaviour> what, io::server_limits limits = {})
      : loop_([this](std::string_view) { ++faults; }), server_(std::make_unique<io::http_server>(loop_, what, limits)) {
    port_ = server_->listen("127.0.0.1", 0).value();
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~running_server() {
    on_loop([this] {
      server_->stop_accepting();
      server_->cut_all();
    });
    eventually([this] { return server_->connections() == 0; });
    on_loop([this] { server_.reset(); });
    loop_.stop();
    thread_.join();
  }

  std::uint16_t port() const { return port_; }
  io::event_loop& loop() { return loop_; }
  io::http_server& server() { return *server_; }

  /// Runs `what` on the loop's thread and waits for it.
  void on_loop(const std::function<void()>& what) {
    std::promise<void> done;
    loop_.post([&] {
      what();
      done.set_value();
    });
    done.get_future().wait();
  }

  /// Until `holds`, asked on the loop's thread; false after 10 s.
  bool eventually(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (bool met = false; std::chrono::steady_clock::now() < until;) {
      on_loop([&] { met = holds(); });
      if (met) return true;
      std::this_thread::yield();
    }
    return false;
  }

  std::atomic<int> faults = 0;

 private:
  io::event_loop loop_;
  std::unique_ptr<io::http_server> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace throughline::testing
