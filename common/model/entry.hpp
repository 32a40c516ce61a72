#pragma once
// One item of a response, and the change of one. Lengths and offsets of patches are UTF-16 code units (P-B5).

#include <cstddef>
#include <string>
#include <vector>

#include "common/base/id.hpp"

namespace throughline {

enum class entry_type { text, tool_call };

/// Content that ends in this was cut at a bound (design 5.1, 7); the mark is inside the bound.
inline constexpr const char* truncation_mark = "\n\n[truncated]";

struct entry {
  message_id id;
  entry_type type = entry_type::text;
  std::string content;
  std::string tool_name;
  std::string tool_status;
  bool operator==(const entry&) const = default;
};

/// Keep the first `patch_offset` UTF-16 units of entry `index`, add `patch`: the result has `total_length` units.
struct entry_patch {
  std::size_t index = 0;
  message_id id;
  entry_type type = entry_type::text;
  std::string patch;
  std::size_t patch_offset = 0;
  std::size_t total_length = 0;
  std::string tool_name;
  std::string tool_status;
  bool operator==(const entry_patch&) const = default;
};

/// All that one event changes in an interaction's visible list; afterwards the list is cut to `entry_count`.
struct patch_set {
  std::vector<entry_patch> patches;
  std::size_t entry_count = 0;
  bool operator==(const patch_set&) const = default;
};

}  // namespace throughline
