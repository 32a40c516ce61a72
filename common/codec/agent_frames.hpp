#pragma once
// The agent socket's frames (design 5.5, P-A2, P-A7, P-A11). An agent is an outsider: everything is checked, bounded
// and sanitised here, and nothing past here sees JSON.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/position.hpp"
#include "common/base/result.hpp"
#include "common/model/agent_event.hpp"

namespace throughline::codec {

/// Ignored and counted. Also the legacy types that have no effect here (P-A7.11).
struct unknown_event {
  std::string type;  ///< sanitised, at most 64 bytes
};

/// Whole numbers that every JSON reader keeps exact.
inline constexpr std::uint64_t agent_seq_max = (std::uint64_t{1} << 53) - 1;

struct agent_frame {
  std::variant<agent_event, unknown_event> what;
  std::optional<std::uint64_t> seq;  ///< a v2 agent's number; absent unless it is one from 1 to agent_seq_max
};

/// One text frame. Content of `message_added` comes as a whole (`text_delta` without base), cut at `entry_bytes_max` on
/// a code point and then ending in `truncation_mark`, mark included. Error: `bad_frame`, the message names the field.
/// Precondition: `text` is valid UTF-8 (a WebSocket closes 1007 on anything else).
result<agent_frame> decode_agent_frame(std::string_view text, std::size_t entry_bytes_max = std::size_t{8} << 20);

/// The number of a frame that `decode_agent_frame` refused, where it has one.
std::optional<std::uint64_t> agent_seq_of(std::string_view text);

/// Cuts `content` as above when it is longer than `bytes_max`. True when it was cut.
bool truncate_content(std::string& content, std::size_t bytes_max);

std::string encode_command(const agent_command& command);
std::string encode_agent_error(std::string_view code, std::string_view message);
std::string encode_resume(position last);         ///< v2, first frame
std::string encode_agent_ack(std::uint64_t seq);  ///< v2, cumulative

}  // namespace throughline::codec
