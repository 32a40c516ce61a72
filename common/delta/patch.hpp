#pragma once
// Entry patches: what one event changes in the visible list of an interaction (P-B5, design 5.4). Offsets and lengths
// are UTF-16 code units. Pure.

#include <cstddef>
#include <string_view>
#include <vector>

#include "common/model/entry.hpp"

namespace throughline::delta {

/// Entry by entry, by index: a changed or new one gives a patch from its first differing code point on. Unchanged ones
/// give none. See `changes` for whether there is anything to show.
patch_set diff(const std::vector<entry>& before, const std::vector<entry>& after);

/// False when a list of `before_count` entries stays as it is under this set.
bool changes(std::size_t before_count, const patch_set& set);

/// The patch for `now` at `index`, which was `before` (an empty entry when it is new).
entry_patch patch_of(std::size_t index, const entry& before, const entry& now);

/// The cheap path: entry `now` at `index` had `old_units` UTF-16 units and grew by `text`; nothing else is looked at.
/// The result's `total_length` is the `old_units` of the next call.
entry_patch grown(std::size_t index, const entry& now, std::size_t old_units, std::string_view text);

/// All entries in full (offset 0): the baseline of a v1 viewer (design 5.4).
patch_set full(const std::vector<entry>& entries);

/// One set alone, by the rule of `patch_replayer`, which is the cheaper way for many.
void apply(std::vector<entry>& entries, const patch_set& set);

}  // namespace throughline::delta
