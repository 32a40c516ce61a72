#pragma once
// Applies many patch sets to one list of entries. It knows the UTF-16 length of what it holds, so a patch costs what it
// takes away and adds, and not the text so far: a streamed answer is rebuilt in linear time. Pure.

#include <cstddef>
#include <vector>

#include "common/model/entry.hpp"

namespace throughline::delta {

class patch_replayer {
 public:
  explicit patch_replayer(std::vector<entry> entries = {});

  /// A browser's rule: keep the first `patch_offset` units, add `patch`, cut to `total_length`, take type, id and tool
  /// fields as given; then make the list `entry_count` long. An index at or above `entry_count` is ignored.
  void apply(const patch_set& set);

  const std::vector<entry>& entries() const { return entries_; }
  std::vector<entry> take() &&;

 private:
  static constexpr std::size_t unknown = static_cast<std::size_t>(-1);
  void apply_one(std::size_t index, const entry_patch& p);
  void cut(std::size_t index, std::size_t units);

  std::vector<entry> entries_;
  std::vector<std::size_t> units_;  ///< per entry; `unknown` until it is first needed
};

}  // namespace throughline::delta
