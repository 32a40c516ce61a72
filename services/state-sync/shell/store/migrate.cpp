#include "services/state-sync/shell/store/migrate.hpp"

#include <fmt/format.h>

#include "services/state-sync/shell/store/locks.hpp"
#include "services/state-sync/shell/store/migrations.hpp"

namespace throughline::state_sync {
namespace {

int version_of(pqxx::transaction_base& tx) {
  if (tx.exec1("SELECT to_regclass('schema_version') IS NULL")[0].as<bool>()) return 0;
  return tx.exec1("SELECT coalesce(max(version), 0) FROM schema_version")[0].as<int>();
}

}  // namespace

int migrate(io::database_connection& database) {
  int applied = 0;
  for (const auto& m : all_migrations()) {
    pqxx::work tx(database.sql());
    // lock_timeout would end a wait for a long migration of another replica; the wait is what is wanted.
    tx.exec("SET LOCAL lock_timeout = 0");
    tx.exec(fmt::format("SELECT pg_advisory_xact_lock({}, {})", lock_key::service, lock_key::migration));
    tx.exec(
        "CREATE TABLE IF NOT EXISTS schema_version (version integer PRIMARY KEY, name text NOT NULL, "
        "applied timestamptz NOT NULL DEFAULT clock_timestamp())");
    if (version_of(tx) >= m.number) continue;
    tx.exec(m.sql);
    tx.exec_params0("INSERT INTO schema_version (version, name) VALUES ($1, $2)", m.number, m.name);
    database.commit(tx);
    ++applied;
  }
  return applied;
}

schema_state schema_of(io::database_connection& database) {
  pqxx::work tx(database.sql());
  const auto found = version_of(tx);
  const auto ours = all_migrations().back().number;
  if (found < ours) return schema_state::older;
  return found == ours ? schema_state::current : schema_state::newer;
}

}  // namespace throughline::state_sync
