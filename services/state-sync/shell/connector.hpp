#pragma once
// Connections of this service: opened, verified, and the database's epoch established before anything is read (3.4).

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "common/io/postgres/database.hpp"

namespace throughline::state_sync {

struct connected {
  std::unique_ptr<io::database_connection> link;
  std::uint64_t epoch = 0;
};

/// Why a connection did not open, one line for /readyz and the log: what kind of failure, and the server's word.
std::string describe(const io::open_error& why);

/// The reason, one line, when there is no usable database now.
std::expected<connected, std::string> connect(const io::database& database, io::connection_role role);

}  // namespace throughline::state_sync
