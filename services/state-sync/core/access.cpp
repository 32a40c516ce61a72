#include <algorithm>
#include <ranges>
#include <string_view>
#include <utility>

#include "common/codec/render.hpp"
#include "services/state-sync/core/answers.hpp"
#include "services/state-sync/core/mutations.hpp"

namespace throughline::state_sync {
namespace {

/// Null when the caller may not, has been answered before, or means a child session, which has what its root has.
member* admit_on_root(step& s, const asked& ask, const session_id& id, const caller& by, right needed) {
  auto* m = admit(s, ask, id, by, needed);
  if (!m || answered_before(s, ask, scope_of(id), by)) return nullptr;
  if (m->is_root()) return m;
  const auto why = codec::is_child_session();
  settle(s, ask.from, *m, scope_of(id), by, {409, codec::error_body(why.code, why.message)});
  return nullptr;
}

/// The gateway repeats a call whose answer it did not get, with the secret it made for it: nobody has seen that secret
/// yet, so the answer is still due. A client's own repeat comes with another secret (`already_issued`).
bool repeated_with_its_secret(step& s, const asked& ask, const mint_agent_token& m) {
  const auto& prior = ask.prior;
  if (!prior || !prior->secret || prior->fingerprint != m.by.fingerprint) return false;
  if (!s.tree.tokens.contains(m.token_hash)) return false;
  if (admit(s, ask, m.session, m.by, right::steer)) s.reply(ask.from, answer{prior->status, prior->body});
  return true;
}

/// A bound beyond section 7, stored as the answer like any other.
void settle_too_many(step& s, const asked& ask, member& root, const session_id& id, const caller& by,
                     std::string_view what) {
  settle(s, ask.from, root, scope_of(id), by, {429, codec::error_body("too_many", what)});
}

std::size_t live_tokens(const step& s) {
  return static_cast<std::size_t>(std::ranges::count_if(
      s.tree.tokens | std::views::values, [&](const auto& t) { return !t.expires || *t.expires > s.at.now; }));
}

void access_changed(step& s, member& root) {
  ++root.head.acl_version;
  s.head_changed(root);
  for (const auto& m : s.tree.members | std::views::values) {
    if (!m.row.deleted) s.notify(notice::kind::access_changed, m.id());
  }
}

}  // namespace

void on_put_grant(step& s, const asked& ask, const put_grant& g) {
  auto* root = admit_on_root(s, ask, g.session, g.by, right::own);
  if (!root) return;
  const grant value{g.grantee, g.what};
  const auto before = s.tree.grants.find(g.grantee);
  if (before == s.tree.grants.end() && s.tree.grants.size() >= grants_max) {
    return settle_too_many(s, ask, *root, g.session, g.by, "The session has 1,000 grants already.");
  }
  if (before == s.tree.grants.end() || before->second != g.what) {
    s.tree.grants[g.grantee] = g.what;
    s.out.writes.grants.push_back({root->id(), value});
    access_changed(s, *root);
  }
  settle(s, ask.from, *root, scope_of(g.session), g.by, {200, codec::grant_body(value)});
}

void on_delete_grant(step& s, const asked& ask, const delete_grant& g) {
  auto* root = admit_on_root(s, ask, g.session, g.by, right::own);
  if (!root) return;
  if (s.tree.grants.erase(g.grantee) > 0) {
    s.out.writes.grants_gone.emplace_back(root->id(), g.grantee);
    access_changed(s, *root);
  }
  settle(s, ask.from, *root, scope_of(g.session), g.by, {204, {}});
}

void on_mint_token(step& s, const asked& ask, const mint_agent_token& m) {
  if (repeated_with_its_secret(s, ask, m)) return;
  auto* root = admit_on_root(s, ask, m.session, m.by, right::steer);
  if (!root) return;
  if (live_tokens(s) >= agent_tokens_max) {
    return settle_too_many(s, ask, *root, m.session, m.by, "The session has 1,000 live agent tokens already.");
  }
  agent_token_row row{.hash = m.token_hash, .session = m.session, .created = s.at.now};
  if (m.ttl) row.expires = s.at.now + *m.ttl;
  s.out.writes.tokens.push_back(row);
  auto body = codec::agent_token_body(m.session, row.expires);
  s.tree.tokens.insert_or_assign(m.token_hash, std::move(row));
  settle(s, ask.from, *root, scope_of(m.session), m.by, {201, std::move(body), true});
}

void on_revoke_tokens(step& s, const asked& ask, const revoke_agent_tokens& r) {
  auto* root = admit_on_root(s, ask, r.session, r.by, right::steer);
  if (!root) return;
  s.tree.tokens.clear();
  s.out.writes.tokens_gone.push_back(root->id());
  for (const auto& [id, a] : s.tree.attachments) {
    if (a.state == attachment_state::live) s.order(a.bridge, close_attachment{id, 1008, "token revoked"});
  }
  settle(s, ask.from, *root, scope_of(r.session), r.by, {204, {}});
}

}  // namespace throughline::state_sync
