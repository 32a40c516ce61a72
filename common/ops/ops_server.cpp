#include "common/ops/ops_server.hpp"

#include <thread>
#include <utility>

#include <httplib.h>

#include "common/ops/json_text.hpp"

namespace throughline::ops {
namespace {

// Probes and one scraper: few connections, closed after each answer, none waits long.
constexpr std::size_t threads_max = 4;
constexpr std::size_t request_bytes_max = 64u << 10;
constexpr time_t read_s_max = 5;

std::string render(const readiness::reasons& why_not) {
  std::string json = why_not.empty() ? R"({"ready":true,"reasons":{)" : R"({"ready":false,"reasons":{)";
  bool first = true;
  for (const auto& [condition, reason] : why_not) {
    if (!std::exchange(first, false)) json += ',';
    append_quoted(json, condition);
    json += ':';
    append_quoted(json, reason);
  }
  return json + "}}";
}

}  // namespace

struct ops_server::state {
  state(const readiness& r, const metrics_registry& m) : ready(r), metrics(m) {}

  const readiness& ready;
  const metrics_registry& metrics;
  httplib::Server server;
  std::thread thread;
};

ops_server::ops_server(const readiness& ready, const metrics_registry& metrics)
    : state_(std::make_unique<state>(ready, metrics)) {
  auto& server = state_->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(threads_max); };
  server.set_payload_max_length(request_bytes_max);
  server.set_read_timeout(read_s_max);
  server.set_write_timeout(read_s_max);
  server.set_keep_alive_max_count(1);
  // httplib's own choice is SO_REUSEPORT, with which two programs would share one port unnoticed.
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  server.Get("/healthz",
             [](const httplib::Request&, httplib::Response& answer) { answer.set_content("ok\n", "text/plain"); });
  server.Get("/readyz", [this](const httplib::Request&, httplib::Response& answer) {
    const auto why_not = state_->ready.why_not();
    answer.status = why_not.empty() ? 200 : 503;
    answer.set_content(render(why_not), "application/json");
  });
  server.Get("/metrics", [this](const httplib::Request&, httplib::Response& answer) {
    answer.set_content(state_->metrics.render(), "text/plain; version=0.0.4");
  });
}

ops_server::~ops_server() {
  stop();
}

result<std::uint16_t> ops_server::start(const listen_address& where) {
  auto& server = state_->server;
  const int port = where.port == 0                               ? server.bind_to_any_port(where.host)
                   : server.bind_to_port(where.host, where.port) ? where.port
                                                                 : -1;
  if (port <= 0) {
    return fail("listen_failed", "cannot listen on " + where.host + ":" + std::to_string(where.port));
  }
  state_->thread = std::thread([&server] { server.listen_after_bind(); });
  return static_cast<std::uint16_t>(port);
}

void ops_server::stop() {
  if (!state_->thread.joinable()) return;
  // `stop` does nothing on a server whose thread has not come to listen yet.
  while (!state_->server.is_running()) std::this_thread::yield();
  state_->server.stop();
  state_->thread.join();
}

}  // namespace throughline::ops
