#include "services/state-sync/core/transcript.hpp"

#include <algorithm>
#include <utility>

#include "common/base/utf.hpp"
#include "common/delta/text.hpp"

namespace throughline::state_sync {
namespace {

entry_type inferred_type(std::string_view content) {
  return content.starts_with("**Tool Call:") ? entry_type::tool_call : entry_type::text;
}

/// A field that is given replaces what was there.
template <class Field>
bool replace_if_given(Field& old, const Field& given) {
  if (given.empty() || given == old) return false;
  old = given;
  return true;
}

}  // namespace

transcript::transcript(std::vector<entry> visible, const std::vector<silent_entry>& silent, bool truncated)
    : truncated_(truncated) {
  auto next = visible.begin();
  auto quiet = silent.begin();
  while (next != visible.end() || quiet != silent.end()) {
    const bool is_quiet = quiet != silent.end() && (quiet->place <= slots_.size() || next == visible.end());
    slot s{.value = is_quiet ? quiet++->value : std::move(*next++)};
    s.hash = delta::hash_of(s.value.content);
    s.units = utf16_length(s.value.content);
    bytes_ += s.value.content.size();
    silent_count_ += s.value.content.empty();
    places_.emplace(s.value.id, slots_.size());
    slots_.push_back(std::move(s));
  }
  count_shown_ = visible_count();
}

bool transcript::fits(const message_id& id, const text_delta& d) const {
  if (!d.base) return d.keep == 0;
  const auto found = places_.find(id);
  if (found == places_.end()) return false;
  const auto& s = slots_[found->second];
  return d.base->length == s.value.content.size() && d.base->hash == s.hash && d.keep <= d.base->length &&
         code_point_floor(s.value.content, d.keep) == d.keep;
}

const std::string* transcript::content_of(const message_id& id, std::uint64_t length, std::uint64_t hash) const {
  const auto found = places_.find(id);
  if (found == places_.end()) return nullptr;
  const auto& s = slots_[found->second];
  return s.value.content.size() == length && s.hash == hash ? &s.value.content : nullptr;
}

transcript::outcome transcript::put(const agent::message_added& m) {
  if (truncated_) return put_fields_only(m);
  if (!fits(m.message, m.content)) return outcome::does_not_fit;
  const bool is_new = !places_.contains(m.message);
  if (is_new && slots_.size() >= turn_entries_max) {
    truncated_ = true;
    return outcome::unchanged;
  }
  slot& s = slot_for(m);
  const bool was_silent = s.value.content.empty();
  // Both are done whatever the other found.
  const bool fields = put_fields(s, m);
  const bool content = put_content(s, m.content.base ? m.content.keep : 0, m.content.text);
  if (!m.type && was_silent) s.value.type = inferred_type(s.value.content);
  if (!fields && !content && !is_new) return outcome::unchanged;
  const auto place = static_cast<std::size_t>(&s - slots_.data());
  const bool is_silent = s.value.content.empty();
  silent_count_ = silent_count_ - was_silent + is_silent;
  if (was_silent != is_silent) reshape(place);
  if (!is_silent && fields) touch(place, s.value.content.size());
  return outcome::changed;
}

/// A turn that takes no more text still shows how its tool calls end.
transcript::outcome transcript::put_fields_only(const agent::message_added& m) {
  const auto found = places_.find(m.message);
  if (found == places_.end() || !put_fields(slots_[found->second], m)) return outcome::unchanged;
  const auto size = slots_[found->second].value.content.size();
  if (size > 0) touch(found->second, size);
  return outcome::changed;
}

transcript::slot& transcript::slot_for(const agent::message_added& m) {
  const auto [at, is_new] = places_.try_emplace(m.message, slots_.size());
  if (is_new) {
    slots_.push_back({.value = {.id = m.message}, .hash = delta::hash_of({})});
    ++silent_count_;
  }
  return slots_[at->second];
}

bool transcript::put_fields(slot& s, const agent::message_added& m) {
  bool changed = false;
  if (m.type && *m.type != s.value.type) {
    s.value.type = *m.type;
    changed = true;
  }
  changed |= replace_if_given(s.value.tool_name, m.tool_name);
  changed |= replace_if_given(s.value.tool_status, m.tool_status);
  return changed;
}

bool transcript::put_content(slot& s, std::size_t keep, std::string_view text) {
  auto& content = s.value.content;
  const auto same = common_prefix(std::string_view(content).substr(keep), text);
  const auto from = keep + same;
  const auto added = text.substr(same);
  if (from == content.size() && added.empty()) return false;
  if (bytes_ - content.size() + from + added.size() > turn_bytes_max) {
    return cut_to_bound(s, content.substr(0, from).append(added));
  }
  const bool grows = from == content.size();
  s.units = s.units - utf16_length(std::string_view(content).substr(from)) + utf16_length(added);
  bytes_ = bytes_ - content.size() + from + added.size();
  content.resize(from);
  content += added;
  s.hash = grows ? delta::extend(s.hash, added) : delta::hash_of(content);
  touch(static_cast<std::size_t>(&s - slots_.data()), from);
  return true;
}

bool transcript::cut_to_bound(slot& s, std::string content) {
  const std::string_view mark = truncation_mark;
  const auto room = turn_bytes_max - (bytes_ - s.value.content.size());
  if (room < mark.size()) {
    truncated_ = true;
    return false;
  }
  content.resize(code_point_floor(content, room - mark.size()));
  content += mark;
  const bool changed = put_content(s, 0, content);
  truncated_ = true;
  return changed;
}

void transcript::touch(std::size_t place, std::size_t from) {
  auto& s = slots_[place];
  if (s.pending_from == clean) touched_.push_back(place);
  s.pending_from = s.pending_from == clean ? from : std::min(s.pending_from, from);
}

/// The entry at `place` appeared or disappeared: every later one has another index, so viewers get them anew.
void transcript::reshape(std::size_t place) {
  for (auto i = place; i < slots_.size(); ++i) touch(i, 0);
}

std::size_t transcript::index_of(std::size_t place) const {
  if (silent_count_ == 0) return place;
  const auto end = slots_.begin() + static_cast<std::ptrdiff_t>(place);
  return static_cast<std::size_t>(
      std::count_if(slots_.begin(), end, [](const slot& s) { return !s.value.content.empty(); }));
}

patch_set transcript::take_patches() {
  patch_set out;
  std::ranges::sort(touched_);
  for (const auto place : touched_) {
    auto& s = slots_[place];
    const auto from = std::exchange(s.pending_from, clean);
    const auto& e = s.value;
    if (e.content.empty()) continue;
    auto tail = e.content.substr(std::min(from, e.content.size()));
    const auto offset = s.units - utf16_length(tail);
    out.patches.push_back({.index = index_of(place),
                           .id = e.id,
                           .type = e.type,
                           .patch = std::move(tail),
                           .patch_offset = offset,
                           .total_length = s.units,
                           .tool_name = e.tool_name,
                           .tool_status = e.tool_status});
  }
  touched_.clear();
  out.entry_count = count_shown_ = visible_count();
  return out;
}

std::vector<entry> transcript::visible() const {
  std::vector<entry> out;
  out.reserve(visible_count());
  for (const auto& s : slots_) {
    if (!s.value.content.empty()) out.push_back(s.value);
  }
  return out;
}

std::vector<silent_entry> transcript::silent() const {
  std::vector<silent_entry> out;
  for (std::size_t i = 0; silent_count_ > 0 && i < slots_.size(); ++i) {
    if (slots_[i].value.content.empty()) out.push_back({.place = i, .value = slots_[i].value});
  }
  return out;
}

std::vector<entry_digest> transcript::digests() const {
  std::vector<entry_digest> out;
  out.reserve(visible_count());
  for (const auto& s : slots_) {
    if (!s.value.content.empty()) out.push_back({s.value.id, s.value.content.size(), s.hash});
  }
  return out;
}

}  // namespace throughline::state_sync
