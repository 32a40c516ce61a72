// gateway: user sockets and the public HTTP API.

#include <exception>

#include "common/ops/log.hpp"
#include "common/ops/shutdown.hpp"
#include "services/gateway/shell/gateway_process.hpp"
#include "services/gateway/shell/gateway_settings.hpp"

int main(int argc, char** argv) {
  using namespace throughline;
  ops::shutdown_signal stop;
  const auto given = gateway::gateway_settings().read_or_exit(argc, argv);
  ops::log::configure("gateway", ops::log::level_of(given.text("log-level")),
                      ops::log::format_of(given.text("log-format")));
  try {
    return gateway::run_gateway(given, stop);
  } catch (const std::exception& fault) {
    ops::log::error("failed", {{"what", fault.what()}});
    return 1;
  }
}
