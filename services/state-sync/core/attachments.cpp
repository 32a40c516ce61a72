#include "services/state-sync/core/attachments.hpp"

#include <algorithm>
#include <ranges>
#include <utility>
#include <vector>

#include "services/state-sync/core/commands.hpp"
#include "services/state-sync/core/instances.hpp"
#include "services/state-sync/core/lifecycle.hpp"

namespace throughline::state_sync {
namespace {

void set_status(step& s, agent_status to) {
  for (auto& m : s.tree.members | std::views::values) {
    if (m.row.deleted || m.row.status == to) continue;
    m.row.status = to;
    m.row.agent_since = s.at.now;
    s.changed(m);
    s.show_at_end(m);
  }
}

void start_loss_clocks(step& s, const attachment_row& lost) {
  for (auto* t : s.tree.open) {
    // While a prompt that is not out waited behind this socket's open gate its clock stood (clocks.cpp).
    const bool waited = t->unsent() && lost.gate_open;
    if (!t->holds_queue() || (t->row.lost_since && !waited)) continue;
    t->row.lost_since = s.at.now;
    s.changed(*t);
  }
}

struct denial {
  int status = 0;
  std::string code;
};
std::optional<denial> denied(step& s, const attach& a) {
  const auto* root = s.tree.root();
  if (!root || root->id() != a.session) return denial{404, "not_found"};
  const auto token = s.tree.tokens.find(a.token_hash);
  if (token == s.tree.tokens.end()) return denial{401, "unauthorized"};
  if (token->second.expires && *token->second.expires <= s.at.now) return denial{401, "unauthorized"};
  return std::nullopt;
}

/// Seconds until an attach may supersede again; 0 when it may now.
std::uint32_t flap_delay(const step& s) {
  const auto* old = s.tree.connected();
  if (!old || s.at.now - old->attached_at >= flap_age) return 0;
  const auto flaps = std::ranges::count_if(s.tree.attachments | std::views::values, [&](const attachment_row& a) {
    return a.superseded_at && s.at.now - *a.superseded_at < flap_window && *a.superseded_at - a.attached_at < flap_age;
  });
  if (flaps < 2) return 0;
  const auto left = old->attached_at + flap_age - s.at.now;
  return static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(left).count());
}

void supersede_old(step& s, attachment_row& old) {
  if (old.state == attachment_state::live) old.superseded_at = s.at.now;
  const bool all_here = old.last_number && old.applied >= *old.last_number;
  const bool was_live = old.state == attachment_state::live;
  if (old.state == attachment_state::detached && all_here) {
    old.state = attachment_state::sealed;
  } else if (was_live || old.state == attachment_state::detached) {
    old.state = attachment_state::superseded;
    old.superseded_at = s.at.now;
    s.order(old.bridge, supersede{old.id});
  }
  s.changed(old);
}

/// Over which socket a prompt went out says which instance had it.
bool carried_a_prompt(const tree_state& tree, const attachment_row& a) {
  return std::ranges::any_of(tree.commands | std::views::values,
                             [&](const command_row& c) { return c.attachment == a.id; });
}

void forget_oldest(step& s, std::uint64_t newest) {
  std::vector<attachment_id> old;
  for (const auto& [id, a] : s.tree.attachments) {
    if (a.number + attachments_kept > newest || a.state == attachment_state::superseded) continue;
    if (!carried_a_prompt(s.tree, a)) old.push_back(id);
  }
  for (const auto& id : old) s.gone(id);
}

/// Unanswered words to the old socket mean nothing to the new one; a prompt's are kept, for the answer matters.
void drop_old_commands(step& s) {
  std::vector<command_id> old;
  for (const auto& [id, c] : s.tree.commands) {
    if (c.kind != command_kind::chat_message) old.push_back(id);
  }
  for (const auto& id : old) s.gone(id);
}

attachment_row& attach_new(step& s, const attach& a, std::uint64_t number) {
  const auto cursor = a.instance ? committed_of(s.tree, *a.instance) : 0;
  auto& row = s.tree.attachments[a.attachment];
  row = {.id = a.attachment, .root = a.session, .number = number, .bridge = a.bridge, .instance = a.instance};
  row.agent_seq = cursor;
  row.gate_deadline = s.at.now + s.at.bounds.ready_timeout;
  row.attached_at = s.at.now;
  row.token_hash = a.token_hash;
  s.changed(row);
  s.tree.heard_at = s.at.steady;
  return row;
}

void greet(step& s, attachment_row& row) {
  drop_old_commands(s);
  send_open_thread(s, row);
  for (auto* t : s.tree.open) {
    if (t->cancelling()) send_cancel(s, *t, row);
  }
  set_status(s, agent_status::online);
  forget_oldest(s, row.number);
}

void attach_again(step& s, reply_token from, attachment_row& known) {
  if (s.tree.newest() != &known) return s.reply(from, attach_refused{409, "superseded", 0});
  if (known.state == attachment_state::detached && !known.last_number) revive(s, known);
  s.tree.heard_at = s.at.steady;
  s.reply(from, attached{known.root, known.number, known.instance ? committed_of(s.tree, *known.instance) : 0});
}

}  // namespace

void on_attach(step& s, reply_token from, const attach& a) {
  if (const auto no = denied(s, a)) return s.reply(from, attach_refused{no->status, no->code, 0});
  const auto known = s.tree.attachments.find(a.attachment);
  if (known != s.tree.attachments.end()) return attach_again(s, from, known->second);
  if (const auto delay = flap_delay(s)) return s.reply(from, attach_refused{409, "superseded_too_often", delay});
  auto* old = s.tree.newest();
  if (old && old->state == attachment_state::live) start_loss_clocks(s, *old);
  if (old) supersede_old(s, *old);
  auto& row = attach_new(s, a, old ? old->number + 1 : 1);
  if (old) change_of_socket(s, *old, row);
  greet(s, row);
  s.reply(from, attached{a.session, row.number, row.agent_seq});
}

void on_detach(step& s, reply_token from, const detach& d) {
  const auto found = s.tree.attachments.find(d.attachment);
  if (found == s.tree.attachments.end()) return s.reply(from, noted{.known = false});
  auto& a = found->second;
  const bool superseded = s.tree.newest() != &a;
  s.reply(from, noted{.known = true, .superseded = superseded});
  if (a.last_number) return;
  a.last_number = d.last_number;
  s.changed(a);
  if (a.state == attachment_state::live) lose(s, a);
  seal_when_done(s, a);
}

void on_seal(step& s, reply_token from, const seal& d) {
  on_detach(s, from, {.session = d.session, .attachment = d.attachment, .last_number = d.last_number});
}

bool renewed_as_it_is(tree_state& tree, const renewal& r, millis steady) {
  const auto* a = tree.newest();
  if (!a || a->id != r.attachment || a->state != attachment_state::live) return false;
  tree.heard_at = steady;
  return true;
}

void on_renewal(step& s, reply_token from, const renewal& r) {
  const auto found = s.tree.attachments.find(r.attachment);
  if (found == s.tree.attachments.end()) return s.reply(from, noted{.known = false});
  auto& a = found->second;
  const bool newest = s.tree.newest() == &a;
  s.reply(from, noted{.known = true, .superseded = !newest});
  if (!newest) return;
  s.tree.heard_at = s.at.steady;
  if (a.state == attachment_state::detached && !a.last_number) revive(s, a);
}

void lose(step& s, attachment_row& a) {
  a.state = attachment_state::detached;
  s.changed(a);
  start_loss_clocks(s, a);
  const auto open = s.tree.open;
  for (auto* t : open) {
    if (t->cancelling()) end(s, *t, {.to = turn_state::interrupted, .by_agent = false});
  }
  set_status(s, agent_status::offline);
}

void revive(step& s, attachment_row& a) {
  a.state = attachment_state::live;
  s.changed(a);
  s.tree.heard_at = s.at.steady;
  for (auto* t : s.tree.open) {
    // A clock that an older socket's loss has started goes on (6.4).
    if (!t->row.lost_since || *t->row.lost_since <= a.attached_at) continue;
    t->row.lost_since.reset();
    s.changed(*t);
  }
  set_status(s, a.gate_open ? agent_status::ready : agent_status::online);
}

void open_gate(step& s, attachment_row& a) {
  if (a.gate_open || s.tree.connected() != &a) return;
  a.gate_open = true;
  a.gate_deadline.reset();
  a.ready_at = s.at.now;
  s.changed(a);
  set_status(s, agent_status::ready);
  for (auto* t : s.tree.open) {
    if (!t->row.in_doubt) continue;
    t->row.doubt_since = s.at.now;
    s.changed(*t);
  }
}

void seal_when_done(step& s, attachment_row& a) {
  if (a.state != attachment_state::superseded) return;
  const bool all_here = a.last_number && a.applied >= *a.last_number;
  const bool late = a.superseded_at && s.at.now >= *a.superseded_at + seal_patience;
  if (!all_here && !late) return;
  a.state = attachment_state::sealed;
  s.changed(a);
}

bool awaits_seal(const tree_state& tree, const attachment_row& a) {
  return std::ranges::any_of(tree.attachments | std::views::values, [&](const attachment_row& old) {
    return old.number < a.number && old.state == attachment_state::superseded && !is_same_instance(old, a);
  });
}

}  // namespace throughline::state_sync
