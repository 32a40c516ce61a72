#include "services/state-sync/shell/store/retention.hpp"

#include <cstdint>

namespace throughline::state_sync {
namespace {

constexpr std::int64_t kept_us = 24LL * 3600 * 1'000'000;

}  // namespace

std::size_t remove_expired(io::database_connection& database, std::size_t most) {
  const auto limit = database.limit(io::statement_answer_max);
  pqxx::work tx(database.sql());
  const auto row = tx.exec_params1(
      "WITH age AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $1::bigint AS before), "
      "old_answers AS (DELETE FROM answers WHERE ctid = ANY(ARRAY(SELECT ctid FROM answers "
      "WHERE scope LIKE 'user:%' AND created_us < (SELECT before FROM age) "
      "ORDER BY created_us LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1), "
      "old_tokens AS (DELETE FROM agent_tokens WHERE ctid = ANY(ARRAY(SELECT ctid FROM agent_tokens "
      "WHERE expires_us < (SELECT before FROM age) ORDER BY expires_us LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1) "
      "SELECT (SELECT count(*) FROM old_answers) + (SELECT count(*) FROM old_tokens)",
      kept_us, most);
  const auto removed = row[0].as<std::size_t>();
  database.commit(tx);
  return removed;
}

}  // namespace throughline::state_sync
