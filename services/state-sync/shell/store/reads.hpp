#pragma once
// Reads, each in one REPEATABLE READ READ ONLY transaction on the primary (design 3.7). One connection, one thread.

#include <cstddef>
#include <cstdint>

#include "common/io/postgres/database.hpp"
#include "common/model/reply.hpp"
#include "common/model/request.hpp"

namespace throughline::state_sync {

struct read_outcome {
  reading what;
  std::uint64_t epoch = 0;  ///< of the snapshot that was read
};

class read_store {
 public:
  /// `snapshot_budget`: bytes of older interactions in a snapshot (design 5.4).
  read_store(io::database_connection& database, std::size_t snapshot_budget);

  /// Throws what libpqxx throws, and bad_stored.
  read_outcome answer(const read_request& request);

 private:
  io::database_connection& database_;
  const std::size_t snapshot_budget_;
};

/// Who may see a session: owner and grants of its root. Empty when there is no such session.
access_list read_access(pqxx::transaction_base& tx, const session_id& session);

}  // namespace throughline::state_sync
