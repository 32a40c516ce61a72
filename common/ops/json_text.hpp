#pragma once
// Text as a JSON string, for log lines and the readiness answer. (RapidJSON's writer trips the undefined-behaviour
// sanitizer on its first byte; these few lines need no library.)

#include <string>
#include <string_view>

namespace throughline::ops {

/// Appends `text` in quotes. Bytes from 0x80 on go through as they are.
inline void append_quoted(std::string& to, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  to += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      to += '\\';
      to += c;
    } else if (c == '\n') {
      to += "\\n";
    } else if (byte < 0x20) {
      to += "\\u00";
      to += digits[byte >> 4];
      to += digits[byte & 15];
    } else {
      to += c;
    }
  }
  to += '"';
}

}  // namespace throughline::ops
