#include "services/state-sync/core/cancel.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/codec/render.hpp"
#include "services/state-sync/core/answers.hpp"
#include "services/state-sync/core/commands.hpp"
#include "services/state-sync/core/lifecycle.hpp"

namespace throughline::state_sync {
namespace {

/// Callers that may wait for one decision.
constexpr std::size_t waiters_max = 256;

/// How a waiting caller stands in turn_row::cancel_ids.
std::string stored(const caller& by) {
  return by.user.text() + '\n' + by.id + '\n' + by.fingerprint;
}

caller caller_of(std::string_view stored) {
  const auto first = stored.find('\n');
  const auto second = stored.find('\n', first + 1);
  if (second == std::string_view::npos) throw broken_invariant{"malformed cancel id"};
  return {user_id{std::string(stored.substr(0, first))}, std::string(stored.substr(first + 1, second - first - 1)),
          std::string(stored.substr(second + 1))};
}

/// True when a queued prompt had this id; it is gone.
bool drop_queued(step& s, member& m, const interaction_id& id) {
  const auto at = std::ranges::find(m.queue, id, [](const prompt_row& p) { return p.prompt.interaction; });
  if (at == m.queue.end()) return false;
  s.unqueued(m, id);
  m.queue.erase(at);
  s.show(m);
  return true;
}

turn* target(step& s, const member& m, const cancel_turn& what) {
  if (!what.interaction) return s.tree.running(m.id());
  auto* t = s.tree.find_turn(*what.interaction);
  return t && t->open() && t->row.record.session == m.id() ? t : nullptr;
}

void ask_agent(step& s, turn& t) {
  const auto* over = s.tree.connected();
  const bool unsent = t.unsent();
  if (!over || unsent) return end(s, t, {.to = turn_state::interrupted, .by_agent = unsent});
  t.row.cancel_deadline = s.at.now + cancel_patience;
  s.changed(t);
  send_cancel(s, t, *over);
}

}  // namespace

void on_cancel(step& s, const asked& ask, const cancel_turn& what) {
  auto* m = admit(s, ask, what.session, what.by, right::steer);
  const auto scope = scope_of(what.session);
  if (!m || answered_before(s, ask, scope, what.by)) return;
  if (what.interaction && drop_queued(s, *m, *what.interaction)) {
    return settle(s, ask.from, *m, scope, what.by, {200, codec::cancel_body(true)});
  }
  auto* t = target(s, *m, what);
  if (!t) return settle(s, ask.from, *m, scope, what.by, {200, codec::cancel_body(false)});
  if (t->row.cancel_ids.size() >= waiters_max) return s.reply(ask.from, deferred{deferral::busy, 1000});
  t->row.cancel_ids.push_back(stored(what.by));
  t->waiters.push_back({what.by.id, ask.from});
  s.changed(*t);
  start_cancel(s, *t);
}

void start_cancel(step& s, turn& t) {
  if (!t.cancelling()) ask_agent(s, t);
}

void decide_cancel(step& s, turn& t) {
  const auto ids = std::exchange(t.row.cancel_ids, {});
  const auto waiting = std::exchange(t.waiters, {});
  const bool cancelled = t.row.record.state == turn_state::interrupted;
  auto& m = s.session_of(t);
  for (const auto& text : ids) {
    const auto by = caller_of(text);
    settle(s, 0, m, scope_of(m.id()), by, {200, codec::cancel_body(cancelled)});
    for (const auto& w : waiting) {
      if (w.id == by.id) s.reply(w.to, answer{200, codec::cancel_body(cancelled)});
    }
  }
}

std::optional<pending> pending_cancel(step& s, const std::string& scope, const std::string& id) {
  for (auto* t : s.tree.open) {
    if (scope_of(t->row.record.session) != scope) continue;
    for (const auto& text : t->row.cancel_ids) {
      auto by = caller_of(text);
      if (by.id == id) return pending{t, std::move(by.id), std::move(by.fingerprint)};
    }
  }
  return std::nullopt;
}

void join_cancel(step& s, const pending& p, reply_token to) {
  auto& waiters = p.which->waiters;
  if (waiters.size() >= waiters_max) return s.reply(to, deferred{deferral::busy, 1000});
  waiters.push_back({p.id, to});
}

}  // namespace throughline::state_sync
