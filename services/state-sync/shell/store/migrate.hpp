#pragma once
// Brings a database to the schema of this binary, or tells whether it has it (design 5.1).

#include "common/io/postgres/database.hpp"

namespace throughline::state_sync {

/// Applies what is missing, in order, each in a transaction of its own, one process at a time. Returns how many were
/// applied. Throws what libpqxx throws; those before the failing one stay applied.
int migrate(io::database_connection& database);

enum class schema_state { older, current, newer };
schema_state schema_of(io::database_connection& database);

}  // namespace throughline::state_sync
