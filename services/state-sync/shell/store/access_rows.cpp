// Tables grants and agent_tokens: who may do what.

#include "common/codec/parse.hpp"
#include "common/codec/render.hpp"
#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/statements.hpp"
#include "services/state-sync/shell/store/store.hpp"

namespace throughline::state_sync {

void prepare_access_rows(pqxx::connection& sql) {
  sql.prepare("grants_load", "SELECT root, user_id, role FROM grants WHERE root = ANY($1::text[]) ORDER BY user_id");
  sql.prepare("grants_write",
              "INSERT INTO grants (root, user_id, role) SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) "
              "ON CONFLICT (root, user_id) DO UPDATE SET role = excluded.role");
  sql.prepare("grants_delete",
              "DELETE FROM grants g USING unnest($1::text[], $2::text[]) k(root, user_id) "
              "WHERE g.root = k.root AND g.user_id = k.user_id");
  sql.prepare("tokens_load",
              "SELECT s.root, t.hash, t.session_id, t.created_us, t.expires_us FROM sessions s "
              "JOIN agent_tokens t ON t.session_id = s.id WHERE s.root = ANY($1::text[]) ORDER BY t.created_us");
  sql.prepare("tokens_write",
              "INSERT INTO agent_tokens (hash, session_id, created_us, expires_us) "
              "SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) "
              "ON CONFLICT (hash) DO UPDATE SET expires_us = excluded.expires_us");
  sql.prepare("tokens_delete", "DELETE FROM agent_tokens WHERE session_id = ANY($1::text[])");
}

void store::load_access(const std::string& roots, std::unordered_map<session_id, tree_rows>& trees) {
  for (const auto& row : run("grants_load", {roots})) {
    row_reader r(row);
    grant_row g;
    g.root = r.id<session_id>();
    g.value.user = r.id<user_id>();
    const auto what = codec::parse_role(r.text());
    if (!what) throw bad_stored("unknown role");
    g.value.what = *what;
    auto& tree = trees[g.root];
    tree.grants.push_back(std::move(g));
  }
  for (const auto& row : run("tokens_load", {roots})) {
    row_reader r(row);
    auto& tree = trees[r.id<session_id>()];
    tree.tokens.push_back({r.text(), r.id<session_id>(), r.time(), r.maybe_time()});
  }
}

void store::write_access(const write_set& what) {
  row_batch gone(2);
  row_batch grants(3);
  for (const auto& [key, g] : what.grants) {
    if (!g) {
      gone.add(key.first).add(key.second);
      continue;
    }
    grants.add(g->root).add(g->value.user).add(codec::name_of(g->value.what));
  }
  if (!gone.empty()) run("grants_delete", gone.take());
  if (!grants.empty()) run("grants_write", grants.take());
  row_batch tokens(4);
  for (const auto& [hash, t] : what.tokens) tokens.add(t.hash).add(t.session).add(t.created).add(t.expires);
  if (!what.tokens_gone.empty()) run("tokens_delete", {id_array(what.tokens_gone)});
  if (!tokens.empty()) run("tokens_write", tokens.take());
}

}  // namespace throughline::state_sync
