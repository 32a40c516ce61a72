#include "services/state-sync/shell/store/shard_locks.hpp"

#include <fmt/format.h>

#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/locks.hpp"

namespace throughline::state_sync {
namespace {

constexpr const char* channel = "throughline_shards";

std::string array_of(const std::vector<shard_number>& shards) {
  return fmt::format("ARRAY[{}]::integer[]", fmt::join(shards, ","));
}

}  // namespace

void listen_for_changes(io::database_connection& database) {
  pqxx::nontransaction tx(database.sql());
  tx.exec0(fmt::format("LISTEN {}", channel));
}

void take_told(io::database_connection& database) {
  database.sql().get_notifs();
}

void tell_of_change(io::database_connection& database) {
  pqxx::nontransaction tx(database.sql());
  tx.exec0(fmt::format("NOTIFY {}", channel));
}

bool join(io::database_connection& database, member_number self) {
  pqxx::nontransaction tx(database.sql());
  return tx.exec1(fmt::format("SELECT pg_try_advisory_lock({}, {})", lock_key::members, self))[0].as<bool>();
}

void leave(io::database_connection& database, member_number self) {
  pqxx::nontransaction tx(database.sql());
  tx.exec(fmt::format("SELECT pg_advisory_unlock({}, {})", lock_key::members, self));
}

shard_view look_at_locks(io::database_connection& database) {
  pqxx::nontransaction tx(database.sql());
  const auto rows =
      tx.exec(fmt::format("SELECT classid = {0}, objid::bigint, pid = pg_backend_pid() FROM pg_locks WHERE "
                          "locktype = 'advisory' AND granted AND classid IN ({0}, {1}) AND objsubid = 2 AND database = "
                          "(SELECT oid FROM pg_database WHERE datname = current_database())",
                          lock_key::members, lock_key::shards));
  shard_view seen;
  for (const auto& row : rows) {
    row_reader r(row);
    const auto is_member = r.flag();
    const auto key = r.number();
    const auto mine = r.flag();
    if (is_member) {
      seen.members.push_back(static_cast<member_number>(key));
    } else if (key < shard_count) {
      seen.holders[key] = mine ? holder::self : holder::other;
    }
  }
  return seen;
}

std::vector<shard_number> try_shards(io::database_connection& database, const std::vector<shard_number>& wanted) {
  std::vector<shard_number> taken;
  if (wanted.empty()) return taken;
  pqxx::nontransaction tx(database.sql());
  for (const auto& row : tx.exec(fmt::format("SELECT s FROM unnest({}) s WHERE pg_try_advisory_lock({}, s)",
                                             array_of(wanted), lock_key::shards))) {
    taken.push_back(static_cast<shard_number>(row_reader(row).number()));
  }
  return taken;
}

void release_shards(io::database_connection& database, const std::vector<shard_number>& shards) {
  if (shards.empty()) return;
  pqxx::nontransaction tx(database.sql());
  tx.exec(fmt::format("SELECT pg_advisory_unlock({}, s) FROM unnest({}) s", lock_key::shards, array_of(shards)));
}

}  // namespace throughline::state_sync
