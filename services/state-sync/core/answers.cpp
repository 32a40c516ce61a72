#include "services/state-sync/core/answers.hpp"

#include <optional>
#include <utility>

#include "common/codec/render.hpp"
#include "services/state-sync/core/cancel.hpp"

namespace throughline::state_sync {
std::string scope_of(const session_id& id) {
  return id.text();
}

std::string scope_of(const user_id& id) {
  return "user:" + id.text();
}

void refuse(step& s, reply_token to, int status, std::string_view code, std::string_view message) {
  s.reply(to, answer{status, codec::error_body(code, message)});
}

member* admit(step& s, const asked& ask, const session_id& id, const caller& by, right needed) {
  auto* m = s.tree.find(id);
  const auto held = m && s.tree.root() ? right_of(s.tree.access(), by.user) : right::none;
  if (held == right::none) {
    const auto why = codec::no_such_session();
    refuse(s, ask.from, 404, why.code, why.message);
    return nullptr;
  }
  if (held < needed) {
    refuse(s, ask.from, 403, "forbidden", "You may watch this session, but not do this.");
    return nullptr;
  }
  return m;
}

bool answered_before(step& s, const asked& ask, const std::string& scope, const caller& by) {
  const auto& prior = ask.prior;
  const auto pending = prior ? std::nullopt : pending_cancel(s, scope, by.id);
  if (!prior && !pending) return false;
  if ((prior ? prior->fingerprint : pending->fingerprint) != by.fingerprint) {
    refuse(s, ask.from, 409, "id_reused", "This id was used for another request.");
  } else if (!prior) {
    join_cancel(s, *pending, ask.from);
  } else if (prior->secret) {
    refuse(s, ask.from, 409, "already_issued", "The secret of this request was shown once and is not kept.");
  } else {
    s.reply(ask.from, answer{prior->status, prior->body});
  }
  return true;
}

void settle(step& s, reply_token to, member& m, const std::string& scope, const caller& by, outcome what) {
  s.head_changed(m);
  answer_row row{scope, by.id, by.fingerprint, what.status, std::move(what.body), what.secret, s.at.now};
  s.reply(to, answer{row.status, row.body});
  s.out.writes.answers.push_back(std::move(row));
}

}  // namespace throughline::state_sync
