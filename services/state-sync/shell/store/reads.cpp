#include "services/state-sync/shell/store/reads.hpp"

#include <utility>

#include "services/state-sync/shell/store/read_transaction.hpp"

namespace throughline::state_sync {
namespace {

using snapshot_transaction = pqxx::transaction<pqxx::repeatable_read, pqxx::read_only>;
constexpr int torn_reads_max = 3;

}  // namespace

read_store::read_store(io::database_connection& database, std::size_t snapshot_budget)
    : database_(database), snapshot_budget_(snapshot_budget) {
  auto& sql = database_.sql();
  sql.prepare("read_epoch", "SELECT epoch FROM service_epoch");
  prepare_session_reads(sql);
  prepare_interaction_reads(sql);
  prepare_list_reads(sql);
  prepare_activity_reads(sql);
}

read_outcome read_store::answer(const read_request& request) {
  for (int attempt = 0; attempt < torn_reads_max; ++attempt) {
    snapshot_transaction tx(database_.sql());
    read_transaction r{tx, tx.exec_prepared1("read_epoch")[0].as<std::uint64_t>(), snapshot_budget_};
    try {
      return {std::visit([&](const auto& what) -> reading { return read(r, what); }, request), r.epoch};
    } catch (const torn_range&) {
    }
  }
  throw bad_stored("a range of events is not gapless");
}

std::vector<std::string_view> views_of(const std::vector<std::string>& bodies) {
  return {bodies.begin(), bodies.end()};
}

}  // namespace throughline::state_sync
