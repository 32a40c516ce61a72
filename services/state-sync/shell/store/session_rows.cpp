// Tables sessions, threads and events.

#include "common/codec/parse.hpp"
#include "common/codec/render.hpp"
#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/session_columns.hpp"
#include "services/state-sync/shell/store/statements.hpp"
#include "services/state-sync/shell/store/store.hpp"

namespace throughline::state_sync {

void prepare_session_rows(pqxx::connection& sql) {
  sql.prepare("sessions_load", "SELECT " THROUGHLINE_SESSION_COLUMNS
                               " FROM sessions s WHERE s.root = ANY($1::text[]) ORDER BY (s.id <> s.root), s.id");
  sql.prepare("sessions_write",
              "INSERT INTO sessions (id, root, parent, owner, name, agent_name_wanted, metadata, created_us, "
              "updated_us, status, agent_name, agent_since_us, zed_thread, waiting_interaction, last_request, "
              "request_started_us, next_ordinal, deleted) "
              "SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], "
              "$7::text[], $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::text[], "
              "$14::text[], $15::text[], $16::bigint[], $17::bigint[], $18::boolean[]) "
              "ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_us = excluded.updated_us, "
              "status = excluded.status, agent_name = excluded.agent_name, agent_since_us = excluded.agent_since_us, "
              "zed_thread = excluded.zed_thread, waiting_interaction = excluded.waiting_interaction, "
              "last_request = excluded.last_request, request_started_us = excluded.request_started_us, "
              "next_ordinal = excluded.next_ordinal, deleted = excluded.deleted");
  sql.prepare("threads_load",
              "SELECT root, thread, session_id, retired, title FROM threads WHERE root = ANY($1::text[])");
  sql.prepare("threads_write",
              "INSERT INTO threads (root, thread, session_id, retired, title) "
              "SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::text[]) "
              "ON CONFLICT (root, thread) DO UPDATE SET session_id = excluded.session_id, retired = excluded.retired, "
              "title = excluded.title");
  sql.prepare("events_write",
              "INSERT INTO events (session_id, seq, epoch, kind, interaction_id, body, created_us) "
              "SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::smallint[], $5::text[], $6::text[], "
              "$7::bigint[])");
}

session_row read_session_row(row_reader& r) {
  session_row s;
  s.id = r.id<session_id>();
  s.root = r.id<session_id>();
  s.parent = r.maybe_id<session_id>();
  s.owner = r.id<user_id>();
  s.name = r.text();
  s.agent_name_wanted = r.text();
  s.metadata = r.text();
  s.created = r.time();
  s.updated = r.time();
  const auto status = codec::parse_agent_status(r.text());
  if (!status) throw bad_stored("unknown agent status");
  s.status = *status;
  s.agent_name = r.text();
  s.agent_since = r.time();
  s.zed_thread = r.maybe_id<thread_id>();
  s.waiting_interaction = r.maybe_id<interaction_id>();
  s.last_request = r.maybe_id<request_id>();
  s.request_started_at = r.maybe_time();
  s.next_ordinal = r.number();
  s.deleted = r.flag();
  return s;
}

void store::load_sessions(const std::string& roots, std::unordered_map<session_id, tree_rows>& trees) {
  for (const auto& row : run("sessions_load", {roots})) {
    row_reader r(row);
    auto s = read_session_row(r);
    auto& tree = trees[s.root];
    tree.sessions.push_back(std::move(s));
  }
  for (const auto& row : run("threads_load", {roots})) {
    row_reader r(row);
    thread_row t;
    t.root = r.id<session_id>();
    t.thread = r.id<thread_id>();
    t.session = r.maybe_id<session_id>().value_or(session_id());
    t.retired = r.flag();
    t.title = r.text();
    auto& tree = trees[t.root];
    tree.threads.push_back(std::move(t));
  }
}

void store::write_sessions(const write_set& what) {
  row_batch sessions(18);
  for (const auto& [id, s] : what.sessions) {
    sessions.add(s.id).add(s.root).add(s.parent).add(s.owner).add(s.name).add(s.agent_name_wanted).add(s.metadata);
    sessions.add(s.created).add(s.updated).add(codec::name_of(s.status)).add(s.agent_name).add(s.agent_since);
    sessions.add(s.zed_thread).add(s.waiting_interaction).add(s.last_request).add(s.request_started_at);
    sessions.add(s.next_ordinal).add(s.deleted);
  }
  if (!sessions.empty()) run("sessions_write", sessions.take());
  row_batch threads(5);
  for (const auto& [key, t] : what.threads) {
    const auto bound = t.session.empty() ? std::nullopt : std::optional(t.session);
    threads.add(t.root).add(t.thread).add(bound).add(t.retired).add(t.title);
  }
  if (!threads.empty()) run("threads_write", threads.take());
}

void store::write_events(const write_set& what) {
  row_batch events(7);
  for (const auto& [e, body] : what.events) {
    events.add(e.session).add(e.at.seq).add(e.at.epoch).add(static_cast<int>(kind_of(e))).add(e.interaction);
    events.add(body).add(e.created);
  }
  if (!events.empty()) run("events_write", events.take());
}

}  // namespace throughline::state_sync
