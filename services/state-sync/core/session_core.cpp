#include "services/state-sync/core/session_core.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "services/state-sync/core/attachments.hpp"
#include "services/state-sync/core/cancel.hpp"
#include "services/state-sync/core/clocks.hpp"
#include "services/state-sync/core/commands.hpp"
#include "services/state-sync/core/hand_over.hpp"
#include "services/state-sync/core/instances.hpp"
#include "services/state-sync/core/mutations.hpp"
#include "services/state-sync/core/queue.hpp"
#include "services/state-sync/core/step.hpp"
#include "services/state-sync/core/suspects.hpp"
#include "services/state-sync/core/tree.hpp"

namespace throughline::state_sync {
namespace {

/// Text of finished turns that stays in memory for late frames: the newest of each session, up to this size.
constexpr std::size_t kept_text_max = std::size_t{1} << 20;

/// One overload per request: a new one does not compile until it is decided.
struct request_rules {
  step& s;
  const asked& ask;

  void operator()(const create_session& r) { on_create(s, ask, r); }
  void operator()(const rename_session& r) { on_rename(s, ask, r); }
  void operator()(const delete_session& r) { on_delete(s, ask, r); }
  void operator()(const post_prompt& r) { on_post(s, ask, r); }
  void operator()(const cancel_turn& r) { on_cancel(s, ask, r); }
  void operator()(const put_grant& r) { on_put_grant(s, ask, r); }
  void operator()(const delete_grant& r) { on_delete_grant(s, ask, r); }
  void operator()(const mint_agent_token& r) { on_mint_token(s, ask, r); }
  void operator()(const revoke_agent_tokens& r) { on_revoke_tokens(s, ask, r); }
  void operator()(const attach& r) { on_attach(s, ask.from, r); }
  void operator()(const detach& r) { on_detach(s, ask.from, r); }
  void operator()(const seal& r) { on_seal(s, ask.from, r); }
  void operator()(const renewal& r) { on_renewal(s, ask.from, r); }
  void operator()(const hand_over& r) { on_hand_over(s, ask, r); }
  void operator()(const command_outcome& r) { on_outcome(s, ask.from, r); }
};

struct input_rules {
  step& s;

  void operator()(const asked& a) { std::visit(request_rules{s, a}, a.request); }
  void operator()(const time_passed&) { on_time(s); }
  void operator()(const taken_over&) {
    listen_afresh(s);
    order_again(s);
  }
};

/// Forgets the text of finished turns but the newest ones.
void unload(tree_state& tree) {
  std::erase_if(tree.finished_loaded, [&](turn* t) {
    const auto& m = tree.members.at(t->row.record.session);
    if (t->row.record.ordinal + 1 == m.row.next_ordinal && t->text.bytes() <= kept_text_max) return false;
    t->text = {};
    t->loaded = false;
    return true;
  });
}

}  // namespace

tree::tree(tree_rows rows) : state_(std::make_unique<tree_state>(std::move(rows))) {}
tree::tree(tree&&) noexcept = default;
tree& tree::operator=(tree&&) noexcept = default;
tree::~tree() = default;

std::vector<std::pair<session_id, interaction_id>> tree::facts_needed(const input& what) const {
  const auto* ask = std::get_if<asked>(&what);
  const auto* frames = ask ? std::get_if<hand_over>(&ask->request) : nullptr;
  return frames ? facts_of(*state_, *frames) : std::vector<std::pair<session_id, interaction_id>>{};
}

void tree::add_finished(turn_row row) {
  auto* t = state_->find_turn(row.record.id);
  if (!t || t->open() || t->loaded) return;
  t->text = transcript(std::move(row.record.entries), row.silent, row.truncated);
  t->loaded = true;
  state_->finished_loaded.push_back(t);
}

bool tree::is_suspect(const input& what) const {
  const auto* ask = std::get_if<asked>(&what);
  const auto* frames = ask ? std::get_if<hand_over>(&ask->request) : nullptr;
  return frames && state_sync::is_suspect(*state_, *frames);
}

bool tree::needs_mark(const input& what, std::string_view owner) const {
  const auto* ask = std::get_if<asked>(&what);
  const auto* frames = ask ? std::get_if<hand_over>(&ask->request) : nullptr;
  return frames && state_sync::needs_mark(*state_, *frames, owner);
}

std::uint64_t tree::applied_of(const attachment_id& attachment) const {
  const auto found = state_->attachments.find(attachment);
  return found == state_->attachments.end() ? 0 : found->second.applied;
}

bool tree::renewed_as_it_is(const renewal& what, millis steady) {
  return state_sync::renewed_as_it_is(*state_, what, steady);
}

void tree::was_deaf_until(millis steady) {
  state_->heard_at = steady;
}

decision tree::apply(const input& what, const context& at) try {
  decision out;
  step s(*state_, at, out);
  state_->bounds = at.bounds;
  adopt_epoch(s);
  std::visit(input_rules{s}, what);
  decide_restart(s);
  dispatch(s);
  s.finish();
  unload(*state_);
  return out;
} catch (const std::logic_error& fault) {
  // A row that must be there is not.
  throw broken_invariant{fault.what()};
}

tree::deadlines tree::next_deadline() const {
  return next_due(*state_);
}

std::vector<session_id> tree::members() const {
  std::vector<session_id> out;
  for (const auto& [id, m] : state_->members) out.push_back(id);
  return out;
}

}  // namespace throughline::state_sync
