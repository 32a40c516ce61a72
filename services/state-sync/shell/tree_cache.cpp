#include "services/state-sync/shell/tree_cache.hpp"

#include <utility>

namespace throughline::state_sync {
namespace {

/// Trees looked at per trim: those that wait for something stay, however old.
constexpr std::size_t trim_looks_max = 64;

}  // namespace

tree_cache::entry* tree_cache::find(const session_id& root) {
  const auto found = trees_.find(root);
  if (found == trees_.end()) return nullptr;
  by_use_.splice(by_use_.begin(), by_use_, found->second.used);
  return &found->second.value;
}

const tree_cache::entry* tree_cache::look_at(const session_id& root) const {
  const auto found = trees_.find(root);
  return found == trees_.end() ? nullptr : &found->second.value;
}

tree_cache::entry& tree_cache::put(const session_id& root, tree state, fence_marks marks) {
  drop(root);
  by_use_.push_front(root);
  const auto [at, added] = trees_.emplace(root, slot{{std::move(state), std::move(marks), false}, by_use_.begin()});
  return at->second.value;
}

void tree_cache::drop(const session_id& root) {
  const auto found = trees_.find(root);
  if (found == trees_.end()) return;
  by_use_.erase(found->second.used);
  trees_.erase(found);
}

void tree_cache::clear() {
  trees_.clear();
  by_use_.clear();
}

std::size_t tree_cache::trim() {
  std::size_t dropped = 0;
  auto at = by_use_.end();
  for (std::size_t looks = 0; trees_.size() > idle_max_ && at != by_use_.begin() && looks < trim_looks_max; ++looks) {
    --at;
    const auto found = trees_.find(*at);
    const auto due = found->second.value.state.next_deadline();
    if (due.at || due.steady) {
      // Not looked at again until all others have been.
      const auto busy = at++;
      by_use_.splice(by_use_.begin(), by_use_, busy);
      continue;
    }
    at = by_use_.erase(at);
    trees_.erase(found);
    ++dropped;
  }
  return dropped;
}

std::vector<session_id> tree_cache::roots() const {
  return {by_use_.begin(), by_use_.end()};
}

}  // namespace throughline::state_sync
