// Reads over many sessions: lists, head checks, tokens and keys.

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "common/codec/parse.hpp"
#include "common/codec/render.hpp"
#include "common/model/page_size.hpp"
#include "services/state-sync/shell/store/read_transaction.hpp"

namespace throughline::state_sync {
namespace {

constexpr std::uint64_t agents_max = 1000;

}  // namespace

void prepare_list_reads(pqxx::connection& sql) {
  // Nobody has a grant on what is his own, so the two parts have nothing in common.
  const std::string granted =
      "FROM grants g JOIN sessions s ON s.root = g.root "
      "WHERE g.user_id = $1 AND s.owner <> $1 AND NOT s.deleted ";
  const std::string newest = "ORDER BY updated_us DESC, id DESC ";
  const std::string own = "FROM sessions WHERE owner = $1 AND NOT deleted ";
  sql.prepare("list_count", "SELECT (SELECT count(*) " + own + ") + (SELECT count(*) " + granted + ")");
  sql.prepare("list_page", "SELECT id FROM ((SELECT id, updated_us " + own + newest +
                               "LIMIT $2::bigint + $3::bigint) UNION ALL (SELECT s.id, s.updated_us " + granted +
                               newest + "LIMIT $2::bigint + $3::bigint)) v " + newest + "LIMIT $2 OFFSET $3");
  const std::string attached = "AND parent IS NULL AND status <> 'offline' ";
  sql.prepare("list_agents", "SELECT id FROM (SELECT id, agent_since_us " + own + attached +
                                 "UNION ALL SELECT s.id, s.agent_since_us " + granted + attached +
                                 ") v ORDER BY agent_since_us DESC, id LIMIT $2");
  sql.prepare("queues_weight",
              "SELECT coalesce(sum(octet_length(content)), 0) FROM prompts WHERE session_id = ANY($1::text[])");
  sql.prepare("read_heads",
              "SELECT h.session_id, h.seq, h.root, s.owner, r.acl_version FROM session_heads h "
              "JOIN sessions s ON s.id = h.session_id AND NOT s.deleted JOIN session_heads r ON r.session_id = h.root "
              "WHERE h.session_id = ANY($1::text[])");
  sql.prepare("read_grants", "SELECT root, user_id, role FROM grants WHERE root = ANY($1::text[]) ORDER BY user_id");
  sql.prepare("find_token",
              "SELECT t.session_id FROM agent_tokens t JOIN sessions s ON s.id = t.session_id AND NOT s.deleted "
              "WHERE t.hash = $1 AND (t.expires_us IS NULL "
              "OR t.expires_us > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)");
  sql.prepare("find_key", "SELECT user_id FROM api_keys WHERE hash = $1");
}

list_reading read(const read_transaction& r, const list_sessions& what) {
  const auto per_page = std::clamp<std::uint64_t>(what.per_page, 1, sessions_per_page_max);
  const auto page = std::min(what.page, std::uint64_t{1} << 40);
  const auto total = r.tx.exec_prepared1("list_count", what.user.text())[0].as<std::uint64_t>();
  std::vector<session_id> ids;
  for (const auto& row : r.tx.exec_prepared("list_page", what.user.text(), per_page, page * per_page)) {
    ids.push_back(row_reader(row).id<session_id>());
  }
  list_reading out;
  if (ids.size() > 1 && r.tx.exec_prepared1("queues_weight", id_array(ids))[0].as<std::uint64_t>() > page_bytes_max) {
    out.complete = false;
    return out;
  }
  std::vector<std::string> bodies;
  for (const auto& s : find_sessions(r, ids)) codec::render_session(bodies.emplace_back(), s, std::nullopt);
  const auto views = views_of(bodies);
  codec::render_session_page(out.body, codec::rendered(views), {page, per_page, total});
  return out;
}

list_reading read(const read_transaction& r, const list_agents& what) {
  std::vector<session_id> ids;
  for (const auto& row : r.tx.exec_prepared("list_agents", what.user.text(), agents_max)) {
    ids.push_back(row_reader(row).id<session_id>());
  }
  std::vector<std::string> bodies;
  for (const auto& s : find_sessions_only(r, ids)) codec::render_agent(bodies.emplace_back(), s.id, s.agent);
  const auto views = views_of(bodies);
  list_reading out;
  codec::render_agents(out.body, codec::rendered(views));
  return out;
}

std::vector<head_reading> read(const read_transaction& r, const read_heads& what) {
  std::unordered_map<session_id, head_reading> found;
  std::unordered_map<session_id, session_id> root_of;
  std::vector<session_id> roots;
  for (const auto& row : r.tx.exec_prepared("read_heads", id_array(what.sessions))) {
    row_reader reader(row);
    head_reading h;
    h.session = reader.id<session_id>();
    h.found = true;
    h.head = {r.epoch, reader.number()};
    const auto root = reader.id<session_id>();
    h.access.owner = reader.id<user_id>();
    h.access.version = reader.number();
    h.root = root;
    root_of.emplace(h.session, root);
    roots.push_back(root);
    auto key = h.session;
    found.emplace(std::move(key), std::move(h));
  }
  std::unordered_map<session_id, std::vector<grant>> grants;
  for (const auto& row : r.tx.exec_prepared("read_grants", id_array(roots))) {
    row_reader reader(row);
    auto& of_root = grants[reader.id<session_id>()];
    grant g;
    g.user = reader.id<user_id>();
    const auto role = codec::parse_role(reader.text());
    if (!role) throw bad_stored("unknown role");
    g.what = *role;
    of_root.push_back(std::move(g));
  }
  std::vector<head_reading> out;
  for (const auto& session : what.sessions) {
    const auto at = found.find(session);
    if (at == found.end()) {
      head_reading gone;
      gone.session = session;
      out.push_back(std::move(gone));
      continue;
    }
    out.push_back(at->second);
    out.back().access.grants = grants[root_of.at(session)];
  }
  return out;
}

owner_reading read(const read_transaction& r, const find_agent_token& what) {
  const auto rows = r.tx.exec_prepared("find_token", what.token_hash);
  if (rows.empty()) return {};
  return {true, row_reader(rows[0]).text()};
}

owner_reading read(const read_transaction& r, const find_key& what) {
  const auto rows = r.tx.exec_prepared("find_key", what.key_hash);
  if (rows.empty()) return {};
  return {true, row_reader(rows[0]).text()};
}

}  // namespace throughline::state_sync
