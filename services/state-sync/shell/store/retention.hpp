#pragma once
// What the database keeps for a limited time only. A transaction of its own, outside the fence: it removes nothing that
// a decision could still want to find.

#include <cstddef>

#include "common/io/postgres/database.hpp"

namespace throughline::state_sync {

/// Removes up to `most` answers to creations older than 24 h (design 5.3), and up to `most` agent tokens that expired
/// that long ago. Returns how many rows.
std::size_t remove_expired(io::database_connection& database, std::size_t most);

}  // namespace throughline::state_sync
