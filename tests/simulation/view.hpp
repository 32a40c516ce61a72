#pragma once
// What a page shows of a session: frames applied by the public rules alone (design 5.4), with no code of ours. Text is
// kept in UTF-16, as in a browser.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/position.hpp"

namespace throughline::simulation {

struct shown_entry {
  std::string type, id, tool_name, tool_status;
  std::u16string content;
};

struct shown_turn {
  std::uint64_t ordinal = 0;
  std::string state, error_code, prompt;
  std::vector<shown_entry> entries;
};

enum class page { stock, extended };  ///< v1, v2

/// What a frame was to a page.
enum class frame_kind {
  full,      ///< replaces everything
  baseline,  ///< v1: all entries of the running turn, at the position of the full state before it
  event,
  replay_complete,
  heartbeat
};

std::u16string wide(std::string_view utf8);

class view {
 public:
  explicit view(page kind = page::extended) : kind_(kind) {}

  /// One frame. Throws violation when it cannot be applied.
  frame_kind apply(std::string_view frame);

  position at() const { return at_; }
  /// What the last connection still owed will not come.
  void begin_connection() { awaits_baseline_ = false; }
  /// Of the last heartbeat or replay_complete.
  position said() const { return said_; }
  bool has_state() const { return has_state_; }
  /// v1: the text of the running turn comes with the next frame.
  bool awaits_baseline() const { return awaits_baseline_; }
  std::uint64_t digest() const;
  std::string text() const;  ///< what `digest` is of
  const shown_turn* turn(const std::string& id) const;

 private:
  struct frame;
  struct kept_turn {
    shown_turn shown;
    mutable std::uint64_t digest = 0;  ///< 0: not known
  };

  void take_session(const frame& f);
  void take_turn(const frame& f);
  void take_patch(const frame& f);
  kept_turn& changed(const std::string& id);

  page kind_;
  bool has_state_ = false, awaits_baseline_ = false;
  position at_, said_;
  std::string session_;
  std::map<std::string, kept_turn> turns_;
};

}  // namespace throughline::simulation
