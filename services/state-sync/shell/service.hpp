#pragma once
// state-sync as a whole: builds its parts, wires them, and runs them until asked to stop.

#include <memory>

#include "common/ops/shutdown.hpp"
#include "services/state-sync/shell/service_settings.hpp"

namespace throughline::state_sync {

class service {
 public:
  service(service_settings settings, ops::shutdown_signal& stop);
  ~service();
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  /// Serves until the signal, drains, and returns the exit status.
  int run();

 private:
  struct parts;
  int wait_for_database();
  void serve();
  void drain();

  const service_settings settings_;
  ops::shutdown_signal& stop_;
  std::unique_ptr<parts> parts_;
};

}  // namespace throughline::state_sync
