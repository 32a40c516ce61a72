#include "services/state-sync/shell/store/takeover.hpp"

#include <string_view>

#include "common/ops/log.hpp"
#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/reads.hpp"

namespace throughline::state_sync {
namespace {

constexpr int announced_max = 2000;
constexpr int announced_bytes_max = 65'536;  // of one body
constexpr std::int64_t recent_us = 60'000'000;
/// All heads of the shards are looked at, for no index holds when they were written: it would cost every write an entry
/// in it (HOT). What takes longer is not announced.
constexpr const char* look_max = "SET LOCAL statement_timeout = '500ms'";
constexpr std::string_view canceled = "57014";

std::string shard_array(const std::vector<shard_number>& shards) {
  row_batch column(1);
  for (const auto shard : shards) column.add(static_cast<int>(shard));
  return column.take().front();
}

}  // namespace

std::unordered_map<session_id, fence_marks> open_trees(io::database_connection& database,
                                                       const std::vector<shard_number>& shards) {
  const auto limit = database.limit(io::statement_answer_max);
  pqxx::work tx(database.sql());
  std::unordered_map<session_id, fence_marks> trees;
  for (const auto& row : tx.exec_params("SELECT root, session_id, epoch, version FROM session_heads WHERE root IN "
                                        "(SELECT root FROM session_heads WHERE open AND shard = ANY($1::smallint[]))",
                                        shard_array(shards))) {
    row_reader r(row);
    auto& marks = trees[r.id<session_id>()];
    auto member = r.id<session_id>();
    const auto epoch = r.number();
    marks.emplace(std::move(member), fence_mark{epoch, r.number()});
  }
  return trees;
}

std::vector<stored_event> recent_heads(io::database_connection& database, const std::vector<shard_number>& shards) try {
  const auto limit = database.limit(io::statement_answer_max);
  pqxx::work tx(database.sql());
  tx.exec0(look_max);
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
} catch (const pqxx::sql_error& e) {
  if (e.sqlstate() != canceled) throw;
  ops::log::warn("heads_not_announced", {{"why", "slow"}});
  return {};
}

access_list access_of(io::database_connection& database, const session_id& session) {
  const auto limit = database.limit(io::statement_answer_max);
  pqxx::work tx(database.sql());
  return read_access(tx, session);
}

}  // namespace throughline::state_sync
