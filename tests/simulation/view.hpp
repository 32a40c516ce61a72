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

class view {
 public:
  explicit view(page kind = page::extended) : kind_(kind) {}

  /// One frame. Throws violation when it cannot be applied.
  void apply(std::string_view frame);

  position at() const { return at_; }
  bool has_state() const { return has_state_; }
  std::uint64_t digest() const;
  std::string text() const;  ///< what `digest` is of
  const std::map<std::string, shown_turn>& turns() const { return turns_; }

 private:
  struct frame_reader;

  page kind_;
  bool has_state_ = false;
  position at_;
  std::string session_;
  std::map<std::string, shown_turn> turns_;
};

}  // namespace throughline::simulation
