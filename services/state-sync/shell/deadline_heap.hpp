#pragma once
// The next deadline of each session tree, earliest first. Pure: times are given. One thread.

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/base/id.hpp"

namespace throughline::state_sync {

class deadline_heap {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// Replaces the tree's deadline; nothing takes it away.
  void set(const session_id& root, std::optional<time_point> due);
  std::optional<time_point> earliest() const;
  /// Takes up to `most` trees whose deadline is not after `now`, earliest first.
  std::vector<session_id> take_due(time_point now, std::size_t most);
  void drop_if(const std::function<bool(const session_id&)>& root);
  std::size_t size() const { return by_root_.size(); }
  void clear();

 private:
  using queue = std::multimap<time_point, session_id>;
  queue by_time_;
  std::unordered_map<session_id, queue::iterator> by_root_;
};

}  // namespace throughline::state_sync
