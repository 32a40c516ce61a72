#pragma once
// The session trees one writer holds in memory, with what their fence rows said when memory and database were last the
// same. Bounded: of the trees that wait for nothing, the least recently used are dropped. One thread.

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <unordered_map>
#include <vector>

#include "services/state-sync/core/session_core.hpp"

namespace throughline::state_sync {

struct fence_mark {
  std::uint64_t epoch = 0;
  std::uint64_t version = 0;
  bool operator==(const fence_mark&) const = default;
};
using fence_marks = std::map<session_id, fence_mark>;

class tree_cache {
 public:
  struct entry {
    tree state;
    fence_marks marks;
    bool told = false;  ///< `taken_over` has been applied since it was loaded
  };

  explicit tree_cache(std::size_t idle_max) : idle_max_(idle_max) {}

  /// Also makes it the most recently used.
  entry* find(const session_id& root);
  /// Leaves its place in the order of use.
  const entry* look_at(const session_id& root) const;
  entry& put(const session_id& root, tree state, fence_marks marks);
  void drop(const session_id& root);
  void clear();
  /// Drops trees without a deadline above the bound. Returns how many.
  std::size_t trim();
  std::vector<session_id> roots() const;
  std::size_t size() const { return trees_.size(); }

 private:
  struct slot {
    entry value;
    std::list<session_id>::iterator used;
  };
  const std::size_t idle_max_;
  std::list<session_id> by_use_;  ///< most recent first
  std::unordered_map<session_id, slot> trees_;
};

}  // namespace throughline::state_sync
