#include "services/state-sync/shell/store/key_store.hpp"

#include <optional>
#include <stdexcept>
#include <utility>

#include "common/codec/render.hpp"
#include "services/state-sync/core/rows.hpp"
#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/epoch.hpp"

namespace throughline::state_sync {
namespace {

key_outcome refused(int status, std::string_view code, std::string_view message) {
  return {{status, codec::error_body(code, message)}, {}};
}

/// Makes this the first answer under the caller's id, or waits for the one that is. Empty: it is this one.
std::optional<answer_row> claim(pqxx::work& tx, const answer_row& row) {
  const auto written = tx.exec_prepared("keys_claim", row.scope, row.id, row.fingerprint, row.status, row.body,
                                        row.secret, row.created.time_since_epoch().count());
  if (written.affected_rows() == 1) return std::nullopt;
  const auto rows = tx.exec_prepared("keys_prior", row.scope, row.id);
  if (rows.empty()) throw std::runtime_error("an answer has been removed meanwhile");
  row_reader r(rows[0]);
  return answer_row{row.scope, row.id, r.text(), static_cast<int>(r.number()), r.text(), r.flag(), r.time()};
}

answer_row row_of(const caller& by, int status, std::string body, bool secret, instant now) {
  return {"user:" + by.user.text(), by.id, by.fingerprint, status, std::move(body), secret, now};
}

/// `still_due`: the secret is the one that the first call made, so nobody has seen it yet.
key_outcome repeated(const answer_row& prior, const caller& by, bool still_due) {
  if (prior.fingerprint != by.fingerprint) return refused(409, "id_reused", "This id was used for another request.");
  if (prior.secret && !still_due) {
    return refused(409, "already_issued", "The secret of this request was shown once and is not kept.");
  }
  return {{prior.status, prior.body}, {}};
}

key_outcome decide(pqxx::work& tx, const issue_key& k, instant now) {
  auto body = codec::api_key_body(k.key, k.name, now);
  if (const auto prior = claim(tx, row_of(k.by, 201, body, true, now))) {
    const bool still_due = !tx.exec_prepared("keys_with_hash", k.key_hash, k.by.user.text()).empty();
    return repeated(*prior, k.by, still_due);
  }
  tx.exec_prepared("keys_insert", k.key_hash, k.key, k.by.user.text(), k.name, now.time_since_epoch().count());
  return {{201, std::move(body)}, {}};
}

key_outcome decide(pqxx::work& tx, const revoke_key& k, instant now) {
  if (const auto prior = claim(tx, row_of(k.by, 204, {}, false, now))) return repeated(*prior, k.by, false);
  const auto gone = tx.exec_prepared("keys_delete", k.key, k.by.user.text());
  if (gone.empty()) return refused(404, "not_found", "There is no such key.");
  return {{204, {}}, row_reader(gone[0]).text()};
}

}  // namespace

key_store::key_store(io::database_connection& database, std::uint64_t epoch) : database_(database), epoch_(epoch) {
  auto& sql = database_.sql();
  sql.prepare("keys_claim",
              "INSERT INTO answers (scope, id, fingerprint, status, body, secret, created_us) "
              "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (scope, id) DO NOTHING");
  sql.prepare("keys_prior",
              "SELECT fingerprint, status, body, secret, created_us FROM answers WHERE scope = $1 AND id = $2");
  sql.prepare("keys_with_hash", "SELECT 1 FROM api_keys WHERE hash = $1 AND user_id = $2");
  sql.prepare("keys_insert", "INSERT INTO api_keys (hash, id, user_id, name, created_us) VALUES ($1, $2, $3, $4, $5)");
  sql.prepare("keys_delete", "DELETE FROM api_keys WHERE id = $1 AND user_id = $2 RETURNING hash");
}

key_outcome key_store::apply(const key_request& request) {
  pqxx::work tx(database_.sql());
  const auto now = hold_epoch(tx, epoch_);
  auto outcome = std::visit([&](const auto& one) { return decide(tx, one, now); }, request);
  // A refusal is not stored (design 5.3): the claim on the id goes with the transaction.
  if (outcome.said.status < 300) database_.commit(tx);
  return outcome;
}

}  // namespace throughline::state_sync
