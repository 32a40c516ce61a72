#include "services/state-sync/shell/committer.hpp"

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace throughline::state_sync {
namespace {

fence_marks marks_of(const std::vector<head_row>& heads) {
  fence_marks marks;
  for (const auto& head : heads) marks.emplace(head.id, fence_mark{head.epoch, head.version});
  return marks;
}

millis steady_now() {
  return std::chrono::duration_cast<millis>(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

struct committer::run {
  store& through;
  std::vector<pending_input>& inputs;
  const decision_bounds& bounds;
  fence locked;
  std::map<answer_key, answer_row> prior;
  std::vector<decision> decisions;
  committed_batch result;
};

committed_batch committer::commit(store& through, std::vector<pending_input>& inputs, const decision_bounds& bounds) {
  run r{through, inputs, bounds, {}, {}, {}, {}};
  try {
    return decide_and_write(r);
  } catch (...) {
    through.abandon();
    for (const auto& root : r.result.decided) trees_.drop(root);
    throw;
  }
}

committed_batch committer::decide_and_write(run& r) {
  r.result.now = r.through.begin(r.bounds.epoch);
  if (r.bounds.hurried) r.through.hurry();
  auto shares = share_out(r);
  bring_into_memory(r, shares);
  std::vector<answer_key> keys;
  for (const auto& share : shares) {
    for (const auto index : share.inputs) {
      const auto* request = r.inputs[index].request();
      if (request == nullptr) continue;
      if (auto key = answer_key_of(request->request)) keys.push_back(std::move(*key));
    }
  }
  r.prior = r.through.prior_answers(keys);
  for (const auto& share : shares) {
    r.result.decided.push_back(share.root);
    decide(r, share, shares.size() == 1);
  }
  r.through.write(r.result.written, r.locked, r.result.now);
  const auto receipt = r.through.commit();
  for (const auto& tree : r.result.broken) trees_.drop(tree.root);
  mark_written(r);
  for (auto& d : r.decisions) r.result.after.push_back(std::move(d).after(receipt));
  return std::move(r.result);
}

std::vector<committer::tree_share> committer::share_out(run& r) {
  std::vector<session_id> addressed;
  std::unordered_set<session_id> seen;
  for (const auto& i : r.inputs) {
    if (seen.insert(i.to).second) addressed.push_back(i.to);
  }
  r.locked = r.through.lock(addressed);
  const std::unordered_set<session_id> elsewhere(r.locked.locked_elsewhere.begin(), r.locked.locked_elsewhere.end());
  std::vector<tree_share> shares;
  std::unordered_map<session_id, std::size_t> by_root;
  for (std::size_t index = 0; index < r.inputs.size(); ++index) {
    const auto& root = r.locked.root_of.at(r.inputs[index].to);
    if (elsewhere.contains(root)) {
      r.result.kept.push_back(index);
      continue;
    }
    const auto [at, added] = by_root.emplace(root, shares.size());
    if (added) shares.push_back({root, {}});
    shares[at->second].inputs.push_back(index);
  }
  return shares;
}

void committer::bring_into_memory(run& r, std::vector<tree_share>& shares) {
  std::vector<session_id> missing;
  std::erase_if(shares, [&](const tree_share& share) {
    const auto rows = r.locked.trees.find(share.root);
    auto* known = trees_.find(share.root);
    if (known != nullptr && rows != r.locked.trees.end() && known->marks == marks_of(rows->second)) return false;
    if (known != nullptr) ++r.result.reloaded;
    trees_.drop(share.root);
    if (rows == r.locked.trees.end()) {
      trees_.put(share.root, tree(tree_rows{}), {});
      return false;
    }
    if (missing.size() < loads_max) {
      missing.push_back(share.root);
      return false;
    }
    r.result.unread.insert(r.result.unread.end(), share.inputs.begin(), share.inputs.end());
    return true;
  });
  if (missing.empty()) return;
  auto loaded = r.through.load(missing);
  for (const auto& root : missing) {
    auto& rows = loaded.at(root);
    rows.heads = r.locked.trees.at(root);
    trees_.put(root, tree(std::move(rows)), marks_of(r.locked.trees.at(root)));
  }
}

void committer::decide(run& r, const tree_share& share, bool only_one) {
  auto& known = *trees_.find(share.root);
  auto& state = known.state;
  write_set writes;
  std::size_t next = 0;
  try {
    // What the database holds may have been written by an owner that died before it acted on it.
    const bool first_tells = std::holds_alternative<taken_over>(r.inputs[share.inputs.front()].what);
    if (!known.told && !known.marks.empty() && !first_tells) apply_one(r, state, taken_over{}, writes);
    known.told = true;
    for (; next < share.inputs.size(); ++next) {
      auto& what = r.inputs[share.inputs[next]].what;
      if (auto* request = std::get_if<asked>(&what)) {
        request->prior.reset();
        const auto key = answer_key_of(request->request);
        if (const auto found = key ? r.prior.find(*key) : r.prior.end(); found != r.prior.end()) {
          request->prior = found->second;
        }
      }
      const bool suspect = state.is_suspect(what);
      const bool alone = only_one && next == 0;
      const bool marks = suspect && r.result.marked.size() < marks_max && state.needs_mark(what, owner_);
      if (suspect && !alone && !marks) break;
      auto& input = r.inputs[share.inputs[next]];
      const auto* frames = frames_of(input);
      const auto applied = frames == nullptr ? 0 : state.applied_of(frames->attachment);
      const bool unfinished = apply_one(r, state, what, writes);
      if (frames != nullptr && state.applied_of(frames->attachment) > applied) input.tried = applied + 1;
      if (suspect) {
        if (unfinished) r.result.marked.push_back(r.inputs[share.inputs[next]].to);
        next += unfinished ? 0 : 1;
        break;
      }
    }
    r.result.apart.insert(r.result.apart.end(), share.inputs.begin() + static_cast<std::ptrdiff_t>(next),
                          share.inputs.end());
  } catch (const broken_invariant& broken) {
    r.result.broken.push_back(
        {share.root, broken.what, {share.inputs.begin() + static_cast<std::ptrdiff_t>(next), share.inputs.end()}});
  }
  r.result.written.add(std::move(writes));
}

bool committer::needs_mark(const pending_input& input) {
  const auto* known = trees_.find(input.to);
  return known != nullptr && known->state.needs_mark(input.what, owner_);
}

bool committer::apply_one(run& r, tree& state, const input& what, write_set& writes) {
  for (const auto& [session, interaction] : state.facts_needed(what)) {
    if (auto turn = r.through.finished_turn(session, interaction)) state.add_finished(std::move(*turn));
  }
  auto decided = state.apply(what, {r.result.now, steady_now(), r.bounds.epoch, &ids_, r.bounds.of_sessions, owner_});
  for (const auto& a : decided.writes.answers) r.prior.insert_or_assign({a.scope, a.id}, a);
  writes.add(decided.writes);
  const bool unfinished = decided.is_unfinished();
  r.decisions.push_back(std::move(decided));
  return unfinished;
}

void committer::mark_written(const run& r) {
  for (const auto& root : r.result.decided) {
    auto* known = trees_.find(root);
    if (known == nullptr) continue;
    for (const auto& session : known->state.members()) {
      if (!r.result.written.heads.contains(session)) continue;
      auto& mark = known->marks[session];
      mark = {r.bounds.epoch, mark.version + 1};
    }
    if (known->marks.empty()) trees_.drop(root);  // a session that does not exist
  }
}

}  // namespace throughline::state_sync
