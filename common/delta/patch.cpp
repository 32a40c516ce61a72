#include "common/delta/patch.hpp"

#include <utility>

#include "common/base/utf.hpp"
#include "common/delta/patch_replayer.hpp"

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
  patch_replayer one(std::move(entries));
  one.apply(set);
  entries = std::move(one).take();
}

}  // namespace throughline::delta
