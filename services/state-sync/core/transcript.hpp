#pragma once
// The entries of one turn, in first-seen order, and what of them viewers have not been shown yet. A change costs what
// it changes: length, hash and UTF-16 length stand beside each content. One owner, no threads.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/model/agent_event.hpp"
#include "common/model/entry.hpp"
#include "services/state-sync/core/rows.hpp"

namespace throughline::state_sync {

/// Content of one turn in all (design 7).
inline constexpr std::size_t turn_bytes_max = std::size_t{32} << 20;
/// Entries of one turn, empty ones too: what they weigh beside their content is bounded by this.
inline constexpr std::size_t turn_entries_max = std::size_t{64} << 10;

class transcript {
 public:
  transcript() = default;
  /// As stored: the visible entries in order, and where the empty ones stand among them.
  transcript(std::vector<entry> visible, const std::vector<silent_entry>& silent, bool truncated);

  /// True iff the entry's content here is the base that `d` names (a delta without a base fits anything).
  bool fits(const message_id& id, const text_delta& d) const;
  bool has(const message_id& id) const { return places_.contains(id); }
  /// The content of an entry with this length and hash; null when it is another or there is none.
  const std::string* content_of(const message_id& id, std::uint64_t length, std::uint64_t hash) const;

  enum class outcome { unchanged, changed, does_not_fit };
  /// One more content of one entry. Type and tool fields replace what was there when they are given. At
  /// `turn_bytes_max` the content is cut and marked; from then on, or with `turn_entries_max` entries, no text is taken
  /// (`truncated`).
  outcome put(const agent::message_added& m);

  /// Takes what changed since the last call, as viewers apply it.
  bool pending() const { return !touched_.empty() || count_shown_ != visible_count(); }
  patch_set take_patches();

  std::size_t visible_count() const { return slots_.size() - silent_count_; }
  std::size_t bytes() const { return bytes_; }
  bool truncated() const { return truncated_; }
  bool has_silent() const { return silent_count_ > 0; }
  std::vector<entry> visible() const;
  std::vector<silent_entry> silent() const;
  std::vector<entry_digest> digests() const;

 private:
  static constexpr std::size_t clean = std::string::npos;
  struct slot {
    entry value;
    std::uint64_t hash = 0;
    std::size_t units = 0;             ///< UTF-16 length of the content
    std::size_t pending_from = clean;  ///< bytes of the content that viewers have
  };

  outcome put_fields_only(const agent::message_added& m);
  slot& slot_for(const agent::message_added& m);
  bool put_fields(slot& s, const agent::message_added& m);
  bool put_content(slot& s, std::size_t keep, std::string_view text);
  bool cut_to_bound(slot& s, std::string content);
  void touch(std::size_t place, std::size_t from);
  void reshape(std::size_t place);
  std::size_t index_of(std::size_t place) const;

  std::vector<slot> slots_;
  std::unordered_map<message_id, std::size_t> places_;
  std::vector<std::size_t> touched_;  ///< places, each once
  std::size_t silent_count_ = 0;
  std::size_t count_shown_ = 0;
  std::size_t bytes_ = 0;
  bool truncated_ = false;
};

}  // namespace throughline::state_sync
