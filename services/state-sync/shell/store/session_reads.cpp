// Reads about one session: its JSON, its snapshot, its access list, its events.

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "common/codec/parse.hpp"
#include "common/codec/render.hpp"
#include "services/state-sync/shell/store/read_transaction.hpp"
#include "services/state-sync/shell/store/session_columns.hpp"

namespace throughline::state_sync {
namespace {

constexpr std::uint64_t events_max = 10'000;
constexpr std::uint64_t events_chunk = 500;

session view_of(session_row row, position head, std::optional<instant> last_event_at) {
  session s;
  s.id = std::move(row.id);
  s.parent = std::move(row.parent);
  s.owner = std::move(row.owner);
  s.name = std::move(row.name);
  s.created = row.created;
  s.updated = row.updated;
  s.head = head;
  s.agent = {row.status, std::move(row.agent_name), row.agent_since, last_event_at};
  s.zed_thread = std::move(row.zed_thread);
  s.zed_agent_name = std::move(row.agent_name_wanted);
  s.waiting_interaction = std::move(row.waiting_interaction);
  s.last_request = std::move(row.last_request);
  s.request_started_at = row.request_started_at;
  s.metadata = std::move(row.metadata);
  s.interactions_total = row.next_ordinal - 1;
  return s;
}

session_reading found_reading(const read_transaction& r, const session& s) {
  session_reading out;
  out.found = true;
  out.head = s.head;
  out.access = read_access(r.tx, s.id);
  return out;
}

/// Position e:n can be resumed iff e is current and n <= head, or event n is stored with epoch e (design 3.4).
bool can_resume(const read_transaction& r, const session& s, position since) {
  if (since.epoch == r.epoch) return since.seq <= s.head.seq;
  if (since.seq == 0 || since.seq > s.head.seq) return false;
  const auto rows = r.tx.exec_prepared("event_epoch", s.id.text(), since.seq);
  return !rows.empty() && rows[0][0].as<std::uint64_t>() == since.epoch;
}

}  // namespace

void prepare_session_reads(pqxx::connection& sql) {
  sql.prepare("read_sessions",
              "SELECT h.seq, h.last_event_us, " THROUGHLINE_SESSION_COLUMNS
              " FROM unnest($1::text[]) WITH ORDINALITY k(id, place) JOIN sessions s ON s.id = k.id AND NOT s.deleted "
              "JOIN session_heads h ON h.session_id = s.id ORDER BY k.place");
  sql.prepare("read_queue",
              "SELECT session_id, prompt_id, interaction_id, content, interrupt, created_us FROM prompts "
              "WHERE session_id = ANY($1::text[]) ORDER BY session_id, place");
  sql.prepare("event_epoch", "SELECT epoch FROM events WHERE session_id = $1 AND seq = $2");
  sql.prepare("read_events", "SELECT seq, body FROM events WHERE session_id = $1 AND seq > $2 ORDER BY seq LIMIT $3");
}

std::vector<session> find_sessions_only(const read_transaction& r, const std::vector<session_id>& ids) {
  std::vector<session> found;
  for (const auto& row : r.tx.exec_prepared("read_sessions", id_array(ids))) {
    row_reader reader(row);
    const position head{r.epoch, reader.number()};
    const auto last_event_at = reader.maybe_time();
    found.push_back(view_of(read_session_row(reader), head, last_event_at));
  }
  return found;
}

std::vector<session> find_sessions(const read_transaction& r, const std::vector<session_id>& ids) {
  auto found = find_sessions_only(r, ids);
  std::unordered_map<session_id, std::size_t> place;
  for (std::size_t i = 0; i < found.size(); ++i) place.emplace(found[i].id, i);
  for (const auto& row : r.tx.exec_prepared("read_queue", id_array(ids))) {
    row_reader reader(row);
    const auto at = place.find(reader.id<session_id>());
    if (at == place.end()) continue;
    found[at->second].queue.push_back(
        {reader.id<prompt_id>(), reader.id<interaction_id>(), reader.text(), reader.flag(), reader.time()});
  }
  return found;
}

std::optional<session> find_session(const read_transaction& r, const session_id& id) {
  auto found = find_sessions(r, {id});
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

access_list read_access(pqxx::transaction_base& tx, const session_id& session) {
  access_list access;
  const auto rows = tx.exec_params(
      "SELECT s.owner, h.acl_version, g.user_id, g.role FROM sessions s JOIN session_heads h ON h.session_id = s.root "
      "LEFT JOIN grants g ON g.root = s.root WHERE s.id = $1 ORDER BY g.user_id",
      session.text());
  for (const auto& row : rows) {
    row_reader r(row);
    access.owner = r.id<user_id>();
    access.version = r.number();
    const auto user = r.maybe_id<user_id>();
    if (!user) continue;
    const auto what = codec::parse_role(r.text());
    if (!what) throw bad_stored("unknown role");
    access.grants.push_back({*user, *what});
  }
  return access;
}

session_reading read(const read_transaction& r, const read_session& what) {
  const auto s = find_session(r, what.session);
  if (!s) return {};
  auto out = found_reading(r, *s);
  if (what.skip_interactions) {
    codec::render_session(out.body, *s, std::nullopt);
    return out;
  }
  const auto recent = find_recent(r, s->id);
  const auto views = views_of(recent.bodies);
  codec::render_session(out.body, *s, codec::rendered(views));
  return out;
}

session_reading read(const read_transaction& r, const read_snapshot& what) {
  const auto s = find_session(r, what.session);
  if (!s) return {};
  auto out = found_reading(r, *s);
  const auto recent = find_recent(r, s->id);
  const auto views = views_of(recent.bodies);
  codec::render_full_update(out.body, *s, codec::rendered(views));
  if (recent.running && !recent.running->entries.empty()) {
    codec::render_baseline(out.baseline, *recent.running, s->owner, s->head);
  }
  return out;
}

session_reading read(const read_transaction& r, const read_events& what) {
  const auto s = find_session(r, what.session);
  if (!s) return {};
  auto out = found_reading(r, *s);
  if (what.since && !can_resume(r, *s, *what.since)) {
    out.known_position = false;
    return out;
  }
  auto last = what.since ? what.since->seq : 0;
  auto left = std::min(what.limit, events_max);
  bool full = false;
  while (left > 0 && last < s->head.seq && !full) {
    const auto rows = r.tx.exec_prepared("read_events", s->id.text(), last, std::min(left, events_chunk));
    if (rows.empty()) throw torn_range{};
    for (const auto& row : rows) {
      row_reader reader(row);
      if (reader.number() != last + 1) throw torn_range{};
      const auto body = reader.text();
      full = !out.body.empty() && out.body.size() + body.size() + 1 > what.bytes_max;
      if (full) break;
      out.body += body;
      out.body += '\n';
      ++last;
      --left;
    }
  }
  out.complete = last >= s->head.seq;
  return out;
}

}  // namespace throughline::state_sync
