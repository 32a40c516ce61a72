// session_heads, the fence of every transaction (design 3.3), and the answers stored under ids (5.3).

#include <stdexcept>

#include "common/base/ulid.hpp"
#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/statements.hpp"
#include "services/state-sync/shell/store/store.hpp"

namespace throughline::state_sync {

void prepare_fence(pqxx::connection& sql) {
  sql.prepare("fence_roots", "SELECT session_id, root FROM session_heads WHERE session_id = ANY($1::text[])");
  sql.prepare("fence_lock",
              "SELECT root, session_id, epoch, seq, version, acl_version, last_event_us, open FROM session_heads "
              "WHERE root = ANY($1::text[]) FOR NO KEY UPDATE SKIP LOCKED");
  sql.prepare("fence_members", "SELECT root, count(*) FROM session_heads WHERE root = ANY($1::text[]) GROUP BY root");
  sql.prepare("heads_update",
              "UPDATE session_heads h SET epoch = v.epoch, seq = v.seq, version = v.version, "
              "acl_version = v.acl_version, last_event_us = v.last_event_us, open = v.open, written_us = v.written_us "
              "FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], "
              "$7::boolean[], $8::bigint[]) "
              "v(session_id, epoch, seq, version, acl_version, last_event_us, open, written_us) "
              "WHERE h.session_id = v.session_id AND h.version = v.version - 1");
  sql.prepare("heads_insert",
              "INSERT INTO session_heads (session_id, root, shard, epoch, seq, version, acl_version, last_event_us, "
              "open, written_us) SELECT * FROM unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], "
              "$5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::boolean[], $10::bigint[])");
  sql.prepare("answers_find",
              "SELECT a.scope, a.id, a.fingerprint, a.status, a.body, a.secret, a.created_us FROM answers a "
              "JOIN unnest($1::text[], $2::text[]) k(scope, id) ON a.scope = k.scope AND a.id = k.id");
  // An answer is given once. One that came in since `prior_answers`, from a transaction that nobody could see then, is
  // a unique violation: decided again, alone, this input finds it. Creations have no row that both would lock.
  sql.prepare("answers_write",
              "INSERT INTO answers (scope, id, fingerprint, status, body, secret, created_us) "
              "SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::boolean[], "
              "$7::bigint[])");
}

fence store::lock(const std::vector<session_id>& addressed) {
  fence found;
  for (const auto& session : addressed) found.root_of.try_emplace(session, session);
  for (const auto& row : run("fence_roots", {id_array(addressed)})) {
    row_reader r(row);
    auto session = r.id<session_id>();
    found.root_of.insert_or_assign(std::move(session), r.id<session_id>());
  }
  std::vector<session_id> roots;
  for (const auto& [session, root] : found.root_of) roots.push_back(root);
  const auto which = id_array(roots);
  for (const auto& row : run("fence_lock", {which})) {
    row_reader r(row);
    auto& rows = found.trees[r.id<session_id>()];
    rows.push_back({r.id<session_id>(), r.number(), r.number(), r.number(), r.number(), r.maybe_time(), r.flag()});
  }
  // Counted after the locks: whoever adds a child holds the root's row, so a tree whose root is locked here is whole.
  for (const auto& row : run("fence_members", {which})) {
    row_reader r(row);
    const auto root = r.id<session_id>();
    const auto tree = found.trees.find(root);
    if (tree != found.trees.end() && tree->second.size() == r.number()) continue;
    found.locked_elsewhere.push_back(root);
    if (tree != found.trees.end()) found.trees.erase(tree);
  }
  return found;
}

void store::write_heads(const write_set& what, const fence& locked, instant now) {
  std::unordered_map<session_id, std::uint64_t> versions;
  for (const auto& [root, rows] : locked.trees) {
    for (const auto& row : rows) versions.emplace(row.id, row.version);
  }
  row_batch updates(8);
  row_batch inserts(10);
  for (const auto& [id, head] : what.heads) {
    if (const auto known = versions.find(id); known != versions.end()) {
      updates.add(id).add(epoch_).add(head.seq).add(known->second + 1).add(head.acl_version);
      updates.add(head.last_event_at).add(head.open).add(now);
      continue;
    }
    const auto session = what.sessions.find(id);
    if (session == what.sessions.end()) throw bad_stored("a head without a session: " + id.text());
    inserts.add(id).add(session->second.root).add(static_cast<int>(shard_of(id).value_or(0))).add(epoch_);
    inserts.add(head.seq).add(1).add(head.acl_version).add(head.last_event_at).add(head.open).add(now);
  }
  if (!inserts.empty()) run("heads_insert", inserts.take());
  if (updates.empty()) return;
  const auto expected = updates.rows();
  if (run("heads_update", updates.take()).affected_rows() != expected) throw bad_stored("a locked head has changed");
}

std::map<answer_key, answer_row> store::prior_answers(const std::vector<answer_key>& keys) {
  std::map<answer_key, answer_row> found;
  if (keys.empty()) return found;
  row_batch batch(2);
  for (const auto& [scope, id] : keys) batch.add(scope).add(id);
  for (const auto& row : run("answers_find", batch.take())) {
    row_reader r(row);
    answer_row a{r.text(), r.text(), r.text(), static_cast<int>(r.number()), r.text(), r.flag(), r.time()};
    answer_key key{a.scope, a.id};
    found.emplace(std::move(key), std::move(a));
  }
  return found;
}

void store::write_answers(const write_set& what) {
  row_batch batch(7);
  for (const auto& [key, a] : what.answers) {
    batch.add(a.scope).add(a.id).add(a.fingerprint).add(a.status).add(a.body).add(a.secret).add(a.created);
  }
  if (!batch.empty()) run("answers_write", batch.take());
}

}  // namespace throughline::state_sync
