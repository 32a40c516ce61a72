#include "common/delta/patch_replayer.hpp"

#include <utility>

#include "common/base/utf.hpp"

namespace throughline::delta {

patch_replayer::patch_replayer(std::vector<entry> entries)
    : entries_(std::move(entries)), units_(entries_.size(), unknown) {}

std::vector<entry> patch_replayer::take() && {
  return std::move(entries_);
}

/// From the end, code point by code point, to the last place where not more than `units` are left.
void patch_replayer::cut(std::size_t index, std::size_t units) {
  auto& text = entries_[index].content;
  auto& left = units_[index];
  auto end = text.size();
  while (left > units && end > 0) {
    end = code_point_floor(text, end - 1);
    left -= static_cast<unsigned char>(text[end]) >= 0xF0 ? 2 : 1;
  }
  text.resize(end);
}

void patch_replayer::apply_one(std::size_t index, const entry_patch& p) {
  auto& e = entries_[index];
  auto& units = units_[index];
  if (units == unknown) units = utf16_length(e.content);
  e.id = p.id;
  e.type = p.type;
  e.tool_name = p.tool_name;
  e.tool_status = p.tool_status;
  cut(index, p.patch_offset);
  e.content += p.patch;
  units += utf16_length(p.patch);
  // Only a patch that missed its base leaves more than it says.
  cut(index, p.total_length);
}

void patch_replayer::apply(const patch_set& set) {
  for (const auto& p : set.patches) {
    if (p.index >= set.entry_count) continue;
    if (p.index >= entries_.size()) {
      entries_.resize(p.index + 1);
      units_.resize(p.index + 1, 0);
    }
    apply_one(p.index, p);
  }
  entries_.resize(set.entry_count);
  units_.resize(set.entry_count, 0);
}

}  // namespace throughline::delta
