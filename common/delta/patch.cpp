#include "common/delta/patch.hpp"

#include <algorithm>

#include "common/base/utf.hpp"

namespace throughline::delta {
namespace {

entry_patch header_of(std::size_t index, const entry& now) {
  entry_patch p;
  p.index = index;
  p.id = now.id;
  p.type = now.type;
  p.tool_name = now.tool_name;
  p.tool_status = now.tool_status;
  return p;
}

void apply_one(entry& e, const entry_patch& p) {
  e.id = p.id;
  e.type = p.type;
  e.tool_name = p.tool_name;
  e.tool_status = p.tool_status;
  e.content.resize(utf16_to_bytes(e.content, p.patch_offset));
  e.content += p.patch;
  // Only a patch that missed its base leaves more than it says.
  if (p.total_length < e.content.size()) e.content.resize(utf16_to_bytes(e.content, p.total_length));
}

}  // namespace

entry_patch patch_of(std::size_t index, const entry& before, const entry& now) {
  const std::string_view old_text = before.content;
  const std::string_view text = now.content;
  const auto keep = text.starts_with(old_text) ? old_text.size() : common_prefix(old_text, text);
  auto p = header_of(index, now);
  p.patch_offset = utf16_length(text.substr(0, keep));
  p.patch = text.substr(keep);
  p.total_length = p.patch_offset + utf16_length(p.patch);
  return p;
}

entry_patch grown(std::size_t index, const entry& now, std::size_t old_units, std::string_view text) {
  auto p = header_of(index, now);
  p.patch = text;
  p.patch_offset = old_units;
  p.total_length = old_units + utf16_length(text);
  return p;
}

patch_set diff(const std::vector<entry>& before, const std::vector<entry>& after) {
  static const entry nothing;
  patch_set out;
  out.entry_count = after.size();
  for (std::size_t i = 0; i < after.size(); ++i) {
    const bool known = i < before.size();
    if (known && before[i] == after[i]) continue;
    out.patches.push_back(patch_of(i, known ? before[i] : nothing, after[i]));
  }
  return out;
}

bool changes(std::size_t before_count, const patch_set& set) {
  return !set.patches.empty() || set.entry_count != before_count;
}

patch_set full(const std::vector<entry>& entries) {
  return diff({}, entries);
}

void apply(std::vector<entry>& entries, const patch_set& set) {
  for (const auto& p : set.patches) {
    if (p.index >= set.entry_count) continue;
    if (p.index >= entries.size()) entries.resize(p.index + 1);
    apply_one(entries[p.index], p);
  }
  entries.resize(set.entry_count);
}

}  // namespace throughline::delta
