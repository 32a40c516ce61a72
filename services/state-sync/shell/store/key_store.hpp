#pragma once
// API keys (design 5.2): issued and revoked, each in one transaction with its stored answer. One connection, one
// thread.

#include <cstdint>
#include <string>

#include "common/io/postgres/database.hpp"
#include "common/model/key_request.hpp"
#include "common/model/reply.hpp"

namespace throughline::state_sync {

struct key_outcome {
  answer said;
  std::string revoked_hash;  ///< of the key that is no longer good from now on; empty for none
};

class key_store {
 public:
  /// `epoch` is what the connection was opened under.
  key_store(io::database_connection& database, std::uint64_t epoch);

  /// Committed when it returns. Throws what libpqxx throws, and epoch_changed. Repeats under one id, at any replica,
  /// get the first answer.
  key_outcome apply(const key_request& request);

 private:
  io::database_connection& database_;
  const std::uint64_t epoch_;
};

}  // namespace throughline::state_sync
