#pragma once
// One private PostgreSQL for a test program, and what tests do to its backends.

#include "common/io/postgres/database.hpp"
#include "tests/support/servers.hpp"

namespace throughline::testing {

/// Made at first use, with the program's life.
inline postgres_server& private_postgres() {
  static postgres_server only;
  return only;
}

inline int backend_of(io::database_connection& connection) {
  return connection.sql().backendpid();
}

inline bool backend_is_gone(io::database_connection& seen_by, int backend) {
  pqxx::nontransaction tx(seen_by.sql());
  return tx.exec("SELECT 1 FROM pg_stat_activity WHERE pid = " + std::to_string(backend)).empty();
}

/// Ends a backend and waits until it is gone.
inline void end_backend(io::database_connection& by, int backend) {
  {
    pqxx::nontransaction tx(by.sql());
    tx.exec1("SELECT pg_terminate_backend(" + std::to_string(backend) + ")");
  }
  eventually([&] { return backend_is_gone(by, backend); });
}

}  // namespace throughline::testing
