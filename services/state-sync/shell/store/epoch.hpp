#pragma once
// The epoch of the database (design 3.4): one row, raised when the database turns out to be another one.

#include <cstdint>

#include <pqxx/pqxx>

#include "common/base/instant.hpp"
#include "common/io/postgres/database.hpp"

namespace throughline::state_sync {

/// Compares system identifier and timeline with the stored ones and raises the epoch first where they differ, above
/// `highest_seen` too: a raise may have been among what a failover lost. To be called on every connection before
/// anything else is read through it. Returns the current epoch.
std::uint64_t establish_epoch(io::database_connection& database, std::uint64_t highest_seen = 0);

/// The same where there may be no schema yet: 0 then.
std::uint64_t find_epoch(io::database_connection& database, std::uint64_t highest_seen);

/// After a restore (`migrate --new-epoch`). Returns the new epoch. The first `establish_epoch` after it may raise it
/// once more: a backup does not know the epochs that came after it.
std::uint64_t raise_epoch(io::database_connection& database);

/// A process that finds another epoch than it works under drops all session memory and starts again.
struct epoch_changed {
  std::uint64_t found = 0;
};

/// First statement of every write transaction, one round trip: keeps the epoch from rising until the transaction has
/// ended. Returns the database's clock. Throws `epoch_changed` when the epoch is not `epoch`.
instant hold_epoch(pqxx::transaction_base& tx, std::uint64_t epoch);

}  // namespace throughline::state_sync
