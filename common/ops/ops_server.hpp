#pragma once
// The operations port: /healthz 200 while the process lives, /readyz 200 or 503 with the reasons, /metrics. Own
// threads, a few; nothing of a session is served here.

#include <cstdint>
#include <memory>

#include "common/base/result.hpp"
#include "common/ops/health.hpp"
#include "common/ops/metrics.hpp"
#include "common/ops/settings.hpp"

namespace throughline::ops {

class ops_server {
 public:
  /// `ready` and `metrics` outlive the server.
  ops_server(const readiness& ready, const metrics_registry& metrics);
  ~ops_server();  ///< stops
  ops_server(const ops_server&) = delete;
  ops_server& operator=(const ops_server&) = delete;

  /// Binds and serves; gives the port bound (that of the kernel's choice for port 0). Error `listen_failed`.
  result<std::uint16_t> start(const listen_address& where);
  /// Returns when no request is being served any more. Twice is harmless.
  void stop();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace throughline::ops
