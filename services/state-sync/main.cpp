// state-sync: the only service that talks to PostgreSQL and the only one that decides.

#include "common/ops/log.hpp"
#include "common/ops/shutdown.hpp"
#include "services/state-sync/shell/schema_gate.hpp"
#include "services/state-sync/shell/service.hpp"
#include "services/state-sync/shell/service_settings.hpp"

int main(int argc, char** argv) {
  using namespace throughline;
  const auto given = state_sync::setting_table().read_or_exit(argc, argv);
  const auto settings = state_sync::service_settings_of(given);
  if (given.command() == "migrate") return state_sync::run_migrate(settings, given.flag("new-epoch"));

  ops::shutdown_signal stop;
  ops::log::configure("state-sync", ops::log::level_of(given.text("log-level")),
                      ops::log::format_of(given.text("log-format")));
  stop.limit(settings.drain_timeout);
  const int status = state_sync::service(settings, stop).run();
  ops::log::stop();
  return status;
}
