#include "services/state-sync/shell/store/epoch.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/locks.hpp"

namespace throughline::state_sync {
namespace {

// Not pg_control_checkpoint(), which lags a promotion by minutes.
constexpr const char* identity =
    "SELECT (SELECT system_identifier::text FROM pg_control_system()), "
    "left(pg_walfile_name(pg_current_wal_lsn()), 8)";

/// Behind the stored timeline: raised by an operator, and nobody has connected since.
constexpr char by_hand = '+';

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

bool is_same_server(const stored_epoch& one, const stored_epoch& other) {
  return one.system == other.system && one.timeline == other.timeline;
}

/// What the row is to say of this server.
stored_epoch due(pqxx::transaction_base& tx, const stored_epoch& stored, std::uint64_t highest_seen) {
  const auto here = tx.exec1(identity);
  stored_epoch next{stored.epoch, here[0].as<std::string>(), here[1].as<std::string>()};
  if (is_same_server(stored, next)) return next;
  const bool raised_by_hand = stored.system == next.system && stored.timeline == next.timeline + by_hand;
  if (!raised_by_hand || stored.epoch <= highest_seen) next.epoch = std::max(stored.epoch, highest_seen) + 1;
  return next;
}

void write_row(pqxx::transaction_base& tx, const stored_epoch& row) {
  tx.exec_params0(
      "INSERT INTO service_epoch (epoch, system_identifier, timeline) VALUES ($1, $2, $3) "
      "ON CONFLICT (only_row) DO UPDATE SET epoch = excluded.epoch, system_identifier = excluded.system_identifier, "
      "timeline = excluded.timeline",
      row.epoch, row.system, row.timeline);
}

/// Waits for the write transactions under way.
void lock_row(pqxx::transaction_base& tx) {
  tx.exec(fmt::format("SELECT pg_advisory_xact_lock({}, {})", lock_key::service, lock_key::epoch));
}

}  // namespace

std::uint64_t establish_epoch(io::database_connection& database, std::uint64_t highest_seen) {
  {
    pqxx::work tx(database.sql());
    const auto stored = read_stored(tx);
    if (is_same_server(stored, due(tx, stored, highest_seen))) return stored.epoch;
  }
  pqxx::work tx(database.sql());
  lock_row(tx);
  const auto stored = read_stored(tx);
  const auto next = due(tx, stored, highest_seen);
  if (is_same_server(stored, next)) return stored.epoch;
  write_row(tx, next);
  database.commit(tx);
  return next.epoch;
}

std::uint64_t find_epoch(io::database_connection& database, std::uint64_t highest_seen) {
  {
    pqxx::work tx(database.sql());
    if (tx.exec1("SELECT to_regclass('service_epoch') IS NULL")[0].as<bool>()) return 0;
  }
  return establish_epoch(database, highest_seen);
}

std::uint64_t raise_epoch(io::database_connection& database) {
  pqxx::work tx(database.sql());
  lock_row(tx);
  const auto stored = read_stored(tx);
  auto next = due(tx, stored, 0);
  next.epoch = stored.epoch + 1;
  next.timeline += by_hand;
  write_row(tx, next);
  database.commit(tx);
  return next.epoch;
}

instant hold_epoch(pqxx::transaction_base& tx, std::uint64_t epoch) {
  // Two statements: the row is read by a snapshot taken when the lock was held.
  static const std::string text = fmt::format(
      "SELECT pg_advisory_xact_lock_shared({}, {}); "
      "SELECT epoch, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM service_epoch",
      lock_key::service, lock_key::epoch);
  const auto rows = tx.exec(text);
  if (rows.empty()) throw epoch_changed{0};
  row_reader row(rows[0]);
  const auto found = row.number();
  if (found != epoch) throw epoch_changed{found};
  return row.time();
}

}  // namespace throughline::state_sync
