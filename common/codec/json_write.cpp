#include "common/codec/json_write.hpp"

#include <algorithm>
#include <array>

namespace throughline::codec {
namespace {

/// 0: as it is. 'u': a \u00xx escape. Anything else: the character after a backslash.
constexpr std::array<char, 256> escapes = [] {
  std::array<char, 256> table{};
  for (std::size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

constexpr std::size_t block = 32;

/// Looks at many bytes at a time: nearly all text needs no escape.
bool is_plain(const char* text) {
  bool suspect = false;
  for (std::size_t i = 0; i < block; ++i) {
    const auto b = static_cast<unsigned char>(text[i]);
    suspect |= b < 0x20 || b == '"' || b == '\\';
  }
  return !suspect;
}

/// The first place from `at` on that needs an escape; the size when there is none.
std::size_t next_escape(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    if (text.size() - at >= block && is_plain(text.data() + at)) {
      at += block;
      continue;
    }
    const auto end = std::min(at + block, text.size());
    while (at < end && escapes[static_cast<unsigned char>(text[at])] == 0) ++at;
    if (at < end) return at;
  }
  return at;
}

}  // namespace

void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  for (std::size_t from = 0;;) {
    const auto at = next_escape(text, from);
    out.append(text, from, at - from);
    if (at == text.size()) return;
    const auto b = static_cast<unsigned char>(text[at]);
    const char escape = escapes[b];
    out += '\\';
    out += escape;
    if (escape == 'u') {
      out += "00";
      out += hex[b >> 4];
      out += hex[b & 15];
    }
    from = at + 1;
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

}  // namespace throughline::codec
