#include "services/state-sync/shell/schema_gate.hpp"

#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "common/ops/log.hpp"
#include "services/state-sync/shell/connector.hpp"
#include "services/state-sync/shell/store/epoch.hpp"
#include "services/state-sync/shell/store/migrate.hpp"

namespace throughline::state_sync {

int run_migrate(const service_settings& settings, bool new_epoch) {
  const io::database database(settings.database);
  auto opened = database.open(io::connection_role::work, find_epoch);
  if (!opened) {
    fmt::print(stderr, "state-sync migrate: {}\n", describe(opened.error()));
    return opened.error().kind == io::open_failure::unsafe_server ? exit_unsafe_server : exit_no_database;
  }
  try {
    const auto applied = migrate(**opened);
    const auto epoch = new_epoch ? raise_epoch(**opened) : establish_epoch(**opened);
    fmt::print("{} migrations applied, epoch {}\n", applied, epoch);
    return 0;
  } catch (const std::exception& e) {
    fmt::print(stderr, "state-sync migrate: {}\n", io::reason_of(e));
    return exit_no_database;
  }
}

std::optional<gate_fault> check_database(const io::database& database, bool migrate_first) {
  auto opened = database.open(io::connection_role::work, find_epoch);
  if (!opened) {
    const auto& e = opened.error();
    if (e.kind == io::open_failure::unsafe_server) return gate_fault{"database", describe(e), exit_unsafe_server};
    return gate_fault{"database", describe(e), std::nullopt};
  }
  try {
    if (migrate_first) {
      const auto applied = migrate(**opened);
      if (applied > 0) ops::log::info("schema_migrated", {{"migrations", applied}});
    }
    if (schema_of(**opened) == schema_state::older) {
      return gate_fault{"schema", "the schema is older than this program: run `state-sync migrate`", exit_old_schema};
    }
    return std::nullopt;
  } catch (const std::exception& e) {
    return gate_fault{"database", io::reason_of(e), std::nullopt};
  }
}

}  // namespace throughline::state_sync
