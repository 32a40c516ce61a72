#pragma once
// What must be true of the database before state-sync serves (design 5.1), and the `migrate` command.

#include <functional>
#include <optional>
#include <string>

#include "services/state-sync/shell/service_settings.hpp"

namespace throughline::state_sync {

inline constexpr int exit_no_database = 1;
inline constexpr int exit_old_schema = 3;
inline constexpr int exit_unsafe_server = 4;

/// `state-sync migrate`: applies what is missing, raises the epoch when asked to. Returns the exit status.
int run_migrate(const service_settings& settings, bool new_epoch);

/// What stands in the way; `fatal` is the exit status when waiting will not help.
struct gate_fault {
  std::string condition;  ///< of the readiness: database or schema
  std::string reason;
  std::optional<int> fatal;
};
/// Nothing when the database is there, safe, and has our schema (or a newer one).
std::optional<gate_fault> check_database(const io::database& database, bool migrate_first);

}  // namespace throughline::state_sync
