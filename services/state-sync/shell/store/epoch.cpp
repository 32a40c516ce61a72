#include "services/state-sync/shell/store/epoch.hpp"

#include <fmt/format.h>

#include "services/state-sync/shell/store/locks.hpp"

namespace throughline::state_sync {
namespace {

// Not pg_control_checkpoint(), which lags a promotion by minutes.
constexpr const char* identity =
    "SELECT (SELECT system_identifier::text FROM pg_control_system()), "
    "left(pg_walfile_name(pg_current_wal_lsn()), 8)";

struct stored_epoch {
  std::uint64_t epoch = 0;
  std::string system;
  std::string timeline;
};

stored_epoch read_stored(pqxx::transaction_base& tx) {
  const auto rows = tx.exec("SELECT epoch, system_identifier, timeline FROM service_epoch");
  if (rows.empty()) return {};
  return {rows[0][0].as<std::uint64_t>(), rows[0][1].as<std::string>(), rows[0][2].as<std::string>()};
}

std::uint64_t write_raised(io::database_connection& database, bool always) {
  pqxx::work tx(database.sql());
  tx.exec(fmt::format("SELECT pg_advisory_xact_lock({}, {})", lock_key::service, lock_key::epoch));
  const auto here = tx.exec1(identity);
  const auto stored = read_stored(tx);
  const auto system = here[0].as<std::string>();
  const auto timeline = here[1].as<std::string>();
  if (!always && stored.system == system && stored.timeline == timeline) return stored.epoch;
  tx.exec_params0(
      "INSERT INTO service_epoch (epoch, system_identifier, timeline) VALUES ($1, $2, $3) "
      "ON CONFLICT (only_row) DO UPDATE SET epoch = excluded.epoch, system_identifier = excluded.system_identifier, "
      "timeline = excluded.timeline",
      stored.epoch + 1, system, timeline);
  database.commit(tx);
  return stored.epoch + 1;
}

}  // namespace

std::uint64_t establish_epoch(io::database_connection& database) {
  {
    pqxx::work tx(database.sql());
    const auto here = tx.exec1(identity);
    const auto stored = read_stored(tx);
    if (stored.epoch > 0 && stored.system == here[0].as<std::string>() &&
        stored.timeline == here[1].as<std::string>()) {
      return stored.epoch;
    }
  }
  return write_raised(database, false);
}

std::uint64_t raise_epoch(io::database_connection& database) {
  return write_raised(database, true);
}

}  // namespace throughline::state_sync
