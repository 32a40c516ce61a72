#include "services/state-sync/shell/deadline_heap.hpp"

namespace throughline::state_sync {

void deadline_heap::set(const session_id& root, std::optional<time_point> due) {
  if (const auto known = by_root_.find(root); known != by_root_.end()) {
    by_time_.erase(known->second);
    by_root_.erase(known);
  }
  if (due) by_root_.emplace(root, by_time_.emplace(*due, root));
}

std::optional<deadline_heap::time_point> deadline_heap::earliest() const {
  if (by_time_.empty()) return std::nullopt;
  return by_time_.begin()->first;
}

std::vector<session_id> deadline_heap::take_due(time_point now, std::size_t most) {
  std::vector<session_id> due;
  while (due.size() < most && !by_time_.empty() && by_time_.begin()->first <= now) {
    due.push_back(by_time_.begin()->second);
    by_root_.erase(due.back());
    by_time_.erase(by_time_.begin());
  }
  return due;
}

void deadline_heap::drop_if(const std::function<bool(const session_id&)>& root) {
  std::erase_if(by_time_, [&](const auto& each) { return root(each.second); });
  std::erase_if(by_root_, [&](const auto& each) { return root(each.first); });
}

void deadline_heap::clear() {
  by_time_.clear();
  by_root_.clear();
}

}  // namespace throughline::state_sync
