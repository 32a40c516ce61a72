#include "services/state-sync/core/mutations.hpp"

#include <utility>
#include <vector>

#include "common/codec/http_bodies.hpp"
#include "common/codec/render.hpp"
#include "services/state-sync/core/answers.hpp"
#include "services/state-sync/core/lifecycle.hpp"
#include "services/state-sync/core/threads.hpp"

namespace throughline::state_sync {
namespace {

bool creatable(step& s, reply_token to, const create_session& c) {
  if (!is_session_id(c.session.text())) {
    refuse(s, to, 400, "bad_request", "The session id is malformed.");
  } else if (c.name.size() > codec::name_bytes_max || c.agent_name.size() > codec::name_bytes_max) {
    refuse(s, to, 400, "bad_request", "A name is longer than 1 KiB.");
  } else if (c.metadata.size() > codec::metadata_bytes_max) {
    refuse(s, to, 413, "too_large", "The metadata is longer than 16 KiB.");
  } else {
    return true;
  }
  return false;
}

member new_root(const step& s, const create_session& c) {
  member m;
  m.row.id = m.row.root = m.head.id = c.session;
  m.row.owner = c.by.user;
  m.row.name = c.name;
  m.row.agent_name_wanted = c.agent_name;
  m.row.metadata = c.metadata;
  m.row.created = m.row.updated = m.row.agent_since = s.at.now;
  return m;
}

/// Ends what runs in the session and empties its queue: it will answer to nobody.
void wind_up(step& s, member& m) {
  const auto open = s.tree.open;
  for (auto* t : open) {
    if (t->row.record.session != m.id()) continue;
    end(s, *t, {turn_state::interrupted, "session_deleted", "The session was deleted.", false});
  }
  for (const auto& p : m.queue) s.unqueued(m, p.prompt.interaction);
  m.queue.clear();
  m.row.deleted = true;
  s.changed(m);
  s.notify(notice::kind::deleted, m.id());
}

void retire_threads_of(step& s, const session_id& id) {
  std::vector<thread_id> own;
  for (const auto& [thread, row] : s.tree.threads) {
    if (row.session == id) own.push_back(thread);
  }
  for (const auto& thread : own) retire(s, thread);
}

void close_sockets(step& s) {
  std::vector<attachment_id> all;
  for (const auto& [id, a] : s.tree.attachments) {
    if (a.state == attachment_state::live || a.state == attachment_state::superseded) {
      s.order(a.bridge, close_attachment{id, 4404, "session deleted"});
    }
    all.push_back(id);
  }
  for (const auto& id : all) s.gone(id);
}

/// A retried delete gets its answer although the session is gone, by whoever could have seen the first.
bool deleted_before(step& s, const asked& ask, const delete_session& d) {
  const auto m = s.tree.members.find(d.session);
  if (m == s.tree.members.end() || !m->second.row.deleted || m->second.row.owner != d.by.user) return false;
  return answered_before(s, ask, scope_of(d.session), d.by);
}

}  // namespace

void on_create(step& s, const asked& ask, const create_session& c) {
  const auto scope = scope_of(c.by.user);
  if (!creatable(s, ask.from, c) || answered_before(s, ask, scope, c.by)) return;
  if (!s.tree.members.empty()) {
    return refuse(s, ask.from, 409, "id_reused", "This session id was used for another request.");
  }
  s.tree.found(new_root(s, c));
  auto& m = *s.tree.find(c.session);
  s.changed(m);
  s.show(m);
  std::string body;
  codec::render_session(body, s.value_of(m), codec::rendered{});
  settle(s, ask.from, m, scope, c.by, {201, std::move(body)});
}

void on_rename(step& s, const asked& ask, const rename_session& r) {
  auto* m = admit(s, ask, r.session, r.by, right::steer);
  if (!m) return;
  if (r.name.size() > codec::name_bytes_max) {
    return refuse(s, ask.from, 400, "bad_request", "The name is longer than 1 KiB.");
  }
  const auto scope = scope_of(r.session);
  if (answered_before(s, ask, scope, r.by)) return;
  if (m->row.name != r.name) {
    m->row.name = r.name;
    s.changed(*m);
    s.show(*m);
  }
  std::string body;
  codec::render_session(body, s.value_of(*m), std::nullopt);
  settle(s, ask.from, *m, scope, r.by, {200, std::move(body)});
}

void on_delete(step& s, const asked& ask, const delete_session& d) {
  if (deleted_before(s, ask, d)) return;
  auto* m = admit(s, ask, d.session, d.by, right::own);
  const auto scope = scope_of(d.session);
  if (!m || answered_before(s, ask, scope, d.by)) return;
  if (m->is_root()) {
    for (auto& [id, each] : s.tree.members) {
      if (!each.row.deleted) wind_up(s, each);
    }
    close_sockets(s);
    s.tree.tokens.clear();
    s.out.writes.tokens_gone.push_back(m->id());
  } else {
    retire_threads_of(s, m->id());
    wind_up(s, *m);
  }
  settle(s, ask.from, *m, scope, d.by, {200, codec::deleted_body(d.session)});
}

}  // namespace throughline::state_sync
