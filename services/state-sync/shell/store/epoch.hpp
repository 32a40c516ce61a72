#pragma once
// The epoch of the database (design 3.4): one row, raised when the database turns out to be another one.

#include <cstdint>

#include "common/io/postgres/database.hpp"

namespace throughline::state_sync {

/// Compares system identifier and timeline with the stored ones and raises the epoch first where they differ. To be
/// called on every connection before anything else is read through it. Returns the current epoch.
std::uint64_t establish_epoch(io::database_connection& database);

/// After a restore (`migrate --new-epoch`). Returns the new epoch.
std::uint64_t raise_epoch(io::database_connection& database);

/// A process that finds another epoch than it works under drops all session memory and starts again.
struct epoch_changed {
  std::uint64_t found = 0;
};

}  // namespace throughline::state_sync
