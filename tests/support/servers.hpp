#pragma once
// A real nats-server and a real, private PostgreSQL.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/process.hpp"

namespace throughline::testing {

class nats_server {
 public:
  nats_server();  ///< starts, on a free port that it keeps

  std::string url() const { return "nats://127.0.0.1:" + std::to_string(port_); }
  void start();
  void kill();    ///< SIGKILL
  void freeze();  ///< SIGSTOP
  void thaw();

 private:
  temporary_folder folder_{"nats"};
  std::uint16_t port_;
  std::unique_ptr<child_process> process_;
};

/// Made once per test program (1 s); `start` and `stop` are fast. Superuser `postgres`, no password, TCP only.
class postgres_server {
 public:
  using options = std::vector<std::string>;  ///< e.g. {"fsync=off"}

  postgres_server();  ///< initdb, and starts

  std::string url() const;
  void start(const options& with = {});
  void stop();            ///< fast shutdown
  void kill();            ///< SIGKILL, of the postmaster; its backends follow
  void standby(bool on);  ///< while stopped: from the next start on it is in recovery, read-only
  /// SIGSTOP and SIGCONT of one backend.
  static void freeze(int backend);
  static void thaw(int backend);

 private:
  bool answers() const;

  temporary_folder folder_{"postgres"};
  std::uint16_t port_;
  std::unique_ptr<child_process> process_;
};

}  // namespace throughline::testing
