#include "services/state-sync/core/instances.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "services/state-sync/core/attachments.hpp"
#include "services/state-sync/core/commands.hpp"
#include "services/state-sync/core/lifecycle.hpp"

namespace throughline::state_sync {
namespace {

/// A stock agent's socket has changed under an open turn: what became of it is not known until it speaks or its time
/// is up. A prompt known not to have been written is simply sent again.
void doubt_open_turns(step& s) {
  for (auto* t : s.tree.open) {
    if (!t->holds_queue()) continue;
    t->row.doubt_since.reset();
    t->row.in_doubt = !t->unsent();
    s.changed(*t);
  }
}

/// What is in doubt for another reason stays so, and its clock runs on.
void stop_loss_clocks(step& s) {
  for (auto* t : s.tree.open) {
    if (!t->row.lost_since || t->row.in_doubt) continue;
    t->row.lost_since.reset();
    s.changed(*t);
  }
}

bool went_out_over(const tree_state& tree, const turn& t, const attachment_row& a) {
  const auto c = t.row.command ? tree.commands.find(*t.row.command) : tree.commands.end();
  return c != tree.commands.end() && c->second.attachment == a.id;
}

void after_restart(step& s, turn& t) {
  if (t.cancelling()) return end(s, t, {turn_state::interrupted});
  if (t.row.origin == turn_origin::prompt && !t.row.named) return unsend(s, t);
  end(s, t, {turn_state::error, "agent_restarted", "The agent was restarted while it worked on this."});
}

}  // namespace

std::uint64_t committed_of(const tree_state& tree, const std::string& instance) {
  std::uint64_t highest = 0;
  for (const auto& a : tree.attachments | std::views::values) {
    if (a.instance == instance) highest = std::max(highest, a.agent_seq);
  }
  return highest;
}

bool is_same_instance(const attachment_row& one, const attachment_row& other) {
  return one.instance && one.instance == other.instance;
}

void change_of_socket(step& s, const attachment_row& before, attachment_row& now_on) {
  if (!before.instance || !now_on.instance) return doubt_open_turns(s);
  now_on.restarted = before.restarted || before.instance != now_on.instance;
  if (!now_on.restarted) stop_loss_clocks(s);
}

void decide_restart(step& s) {
  auto* a = s.tree.newest();
  if (!a || !a->restarted || awaits_seal(s.tree, *a)) return;
  a->restarted = false;
  s.changed(*a);
  const auto open = s.tree.open;
  for (auto* t : open) {
    if (t->holds_queue() && !t->unsent() && !went_out_over(s.tree, *t, *a)) after_restart(s, *t);
  }
}

bool is_to_be_redelivered(const tree_state& tree, const turn& t) {
  const auto* over = tree.connected();
  if (!over || !t.open() || t.row.named || t.cancelling() || !t.row.command) return false;
  const auto c = tree.commands.find(*t.row.command);
  if (c == tree.commands.end() || c->second.attachment == over->id) return false;
  const auto before = tree.attachments.find(c->second.attachment);
  return before != tree.attachments.end() && is_same_instance(before->second, *over);
}

}  // namespace throughline::state_sync
