#pragma once
// A place in a session's log: `epoch:seq`, e.g. 1:42 (design 3.4, 4).

#include <charconv>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace throughline {

struct position {
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  auto operator<=>(const position&) const = default;
};

inline std::string to_text(position p) {
  return std::to_string(p.epoch) + ":" + std::to_string(p.seq);
}

/// Reads `epoch:seq` as `to_text` writes it: decimal digits without leading zeros, epoch at least 1, nothing before,
/// between or behind. Empty on anything else.
inline std::optional<position> parse_position(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto number = [](std::string_view digits, std::uint64_t& out) {
    if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return false;
    const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return fault == std::errc{} && end == digits.data() + digits.size();
  };
  position p;
  if (!number(text.substr(0, colon), p.epoch) || !number(text.substr(colon + 1), p.seq) || p.epoch == 0) {
    return std::nullopt;
  }
  return p;
}

}  // namespace throughline
