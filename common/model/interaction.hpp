#pragma once
// One turn as viewers see it (design 5.3, Interaction JSON).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/instant.hpp"
#include "common/model/entry.hpp"

namespace throughline {

enum class turn_state { waiting, complete, error, interrupted };

constexpr bool is_terminal(turn_state s) {
  return s != turn_state::waiting;
}

/// Token counts as an agent reports them; absent ones were not reported.
struct token_usage {
  std::optional<std::uint64_t> total_tokens, input_tokens, output_tokens, thought_tokens, cached_read_tokens,
      cached_write_tokens;
  bool operator==(const token_usage&) const = default;
};

struct interaction {
  interaction_id id;
  session_id session;
  std::uint64_t ordinal = 0;  ///< conversation order, from 1, given at dispatch
  instant created;
  instant updated;
  std::optional<instant> completed;
  turn_state state = turn_state::waiting;
  std::string error;       ///< for people
  std::string error_code;  ///< snake_case, empty when none
  std::string prompt_message;
  std::optional<prompt_id> prompt;  ///< absent for turns typed in the editor and unasked output
  std::vector<entry> entries;       ///< visible ones only (non-empty content), first-seen order
  std::optional<token_usage> usage;
};

}  // namespace throughline
