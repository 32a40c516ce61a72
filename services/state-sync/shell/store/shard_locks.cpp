#include "services/state-sync/shell/store/shard_locks.hpp"

#include <fmt/format.h>

#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/locks.hpp"

namespace throughline::state_sync {
namespace {

std::vector<shard_number> shards_in(const pqxx::result& rows) {
  std::vector<shard_number> shards;
  for (const auto& row : rows) shards.push_back(static_cast<shard_number>(row_reader(row).number()));
  return shards;
}

std::string array_of(const std::vector<shard_number>& shards) {
  return fmt::format("ARRAY[{}]::integer[]", fmt::join(shards, ","));
}

}  // namespace

std::vector<shard_number> try_shards(io::database_connection& database, const std::vector<shard_number>& wanted) {
  if (wanted.empty()) return {};
  pqxx::nontransaction tx(database.sql());
  return shards_in(tx.exec(
      fmt::format("SELECT s FROM unnest({}) s WHERE pg_try_advisory_lock({}, s)", array_of(wanted), lock_key::shards)));
}

std::vector<shard_number> held_shards(io::database_connection& database) {
  pqxx::nontransaction tx(database.sql());
  return shards_in(
      tx.exec(fmt::format("SELECT objid::integer FROM pg_locks WHERE locktype = 'advisory' AND granted "
                          "AND pid = pg_backend_pid() AND classid = {} AND objsubid = 2 AND database = "
                          "(SELECT oid FROM pg_database WHERE datname = current_database())",
                          lock_key::shards)));
}

void release_shards(io::database_connection& database, const std::vector<shard_number>& shards) {
  if (shards.empty()) return;
  pqxx::nontransaction tx(database.sql());
  tx.exec(fmt::format("SELECT pg_advisory_unlock({}, s) FROM unnest({}) s", lock_key::shards, array_of(shards)));
}

}  // namespace throughline::state_sync
