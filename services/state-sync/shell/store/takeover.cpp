#include "services/state-sync/shell/store/takeover.hpp"

#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/reads.hpp"

namespace throughline::state_sync {
namespace {

constexpr int announced_max = 2000;
constexpr int announced_bytes_max = 65'536;  // of one body
constexpr std::int64_t recent_us = 60'000'000;

std::string shard_array(const std::vector<shard_number>& shards) {
  row_batch column(1);
  for (const auto shard : shards) column.add(static_cast<int>(shard));
  return column.take().front();
}

}  // namespace

std::vector<session_id> open_roots(io::database_connection& database, const std::vector<shard_number>& shards) {
  const auto limit = database.limit(io::statement_answer_max);
  pqxx::work tx(database.sql());
  std::vector<session_id> roots;
  for (const auto& row : tx.exec_params(
           "SELECT DISTINCT root FROM session_heads WHERE open AND shard = ANY($1::smallint[])", shard_array(shards))) {
    roots.push_back(row_reader(row).id<session_id>());
  }
  return roots;
}

std::vector<stored_event> recent_heads(io::database_connection& database, const std::vector<shard_number>& shards) {
  const auto limit = database.limit(io::statement_answer_max);
  pqxx::work tx(database.sql());
  std::vector<stored_event> events;
  for (const auto& row : tx.exec_params(
           "SELECT e.session_id, e.body FROM (SELECT session_id, seq FROM session_heads "
           "WHERE shard = ANY($1::smallint[]) "
           "AND written_us > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $2 "
           "ORDER BY written_us DESC LIMIT $3) h JOIN events e ON e.session_id = h.session_id AND e.seq = h.seq "
           "WHERE octet_length(e.body) <= $4",
           shard_array(shards), recent_us, announced_max, announced_bytes_max)) {
    row_reader r(row);
    stored_event e;
    e.session = r.id<session_id>();
    e.body = r.text();
    events.push_back(std::move(e));
  }
  return events;
}

access_list access_of(io::database_connection& database, const session_id& session) {
  const auto limit = database.limit(io::statement_answer_max);
  pqxx::work tx(database.sql());
  return read_access(tx, session);
}

}  // namespace throughline::state_sync
