#include "common/base/utf.hpp"

#include <algorithm>

namespace throughline {
namespace {

unsigned char byte_at(std::string_view s, std::size_t i) {
  return static_cast<unsigned char>(s[i]);
}
bool is_continuation(unsigned char b) {
  return (b & 0xC0) == 0x80;
}

std::size_t length_of(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead < 0xE0) return 2;
  return lead < 0xF0 ? 3 : 4;
}

/// True when the code point of `size` bytes at `i` is one that `sanitise` strips.
bool is_stripped(std::string_view s, std::size_t i, std::size_t size) {
  const auto b = byte_at(s, i);
  if (size == 1) return (b < 0x20 && b != '\t' && b != '\n' && b != '\r');
  if (size == 2) return b == 0xC2 && byte_at(s, i + 1) < 0xA0;
  if (size == 3) return b == 0xEF && byte_at(s, i + 1) == 0xBF && byte_at(s, i + 2) >= 0xBE;
  return false;
}

/// True when no byte of the block can begin what `sanitise` strips: nearly all text, found at the speed of memory.
bool is_plain(std::string_view block) {
  bool suspect = false;
  for (const char c : block) {
    const auto b = static_cast<unsigned char>(c);
    suspect |= (b < 0x20 && b != '\t' && b != '\n' && b != '\r') || b == 0xC2 || b == 0xEF;
  }
  return !suspect;
}

/// The bytes at the front that need no look at single code points; ends between two of them.
std::size_t plain_prefix(std::string_view utf8) {
  constexpr std::size_t block = 256;
  std::size_t at = 0;
  while (at < utf8.size() && is_plain(utf8.substr(at, block))) at += block;
  return at < utf8.size() ? code_point_floor(utf8, at) : utf8.size();
}

}  // namespace

std::size_t utf16_length(std::string_view utf8) {
  std::size_t units = 0;
  // Blocks whose sum fits a byte (two units per byte at most) are added many bytes at a time.
  constexpr std::size_t block = 64;
  for (; utf8.size() >= block; utf8.remove_prefix(block)) {
    unsigned char sum = 0;
    for (std::size_t i = 0; i < block; ++i) {
      const auto b = byte_at(utf8, i);
      sum = static_cast<unsigned char>(sum + !is_continuation(b) + (b >= 0xF0));
    }
    units += sum;
  }
  for (const char c : utf8) {
    const auto b = static_cast<unsigned char>(c);
    units += static_cast<std::size_t>(!is_continuation(b)) + static_cast<std::size_t>(b >= 0xF0);
  }
  return units;
}

std::size_t code_point_floor(std::string_view utf8, std::size_t bytes) {
  if (bytes >= utf8.size()) return utf8.size();
  while (bytes > 0 && is_continuation(byte_at(utf8, bytes))) --bytes;
  return bytes;
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const auto size = std::min(a.size(), b.size());
  const auto same =
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(size), b.begin()).first - a.begin();
  auto at = static_cast<std::size_t>(same);
  // The texts may differ inside a code point: go back to where both can be cut.
  while (at > 0 &&
         ((at < a.size() && is_continuation(byte_at(a, at))) || (at < b.size() && is_continuation(byte_at(b, at))))) {
    --at;
  }
  return at;
}

std::size_t utf16_to_bytes(std::string_view utf8, std::size_t units) {
  std::size_t at = 0;
  while (at < utf8.size()) {
    const auto size = length_of(byte_at(utf8, at));
    const std::size_t cost = size == 4 ? 2 : 1;
    if (cost > units) break;
    units -= cost;
    at += size;
  }
  return std::min(at, utf8.size());
}

bool sanitise(std::string& utf8) {
  std::size_t out = plain_prefix(utf8);
  for (std::size_t i = out; i < utf8.size();) {
    const auto size = std::min(length_of(byte_at(utf8, i)), utf8.size() - i);
    if (!is_stripped(utf8, i, size)) {
      if (out != i)
        std::copy_n(utf8.begin() + static_cast<std::ptrdiff_t>(i), size,
                    utf8.begin() + static_cast<std::ptrdiff_t>(out));
      out += size;
    }
    i += size;
  }
  const bool stripped = out != utf8.size();
  utf8.resize(out);
  return stripped;
}

bool is_utf8(std::string_view s) {
  for (std::size_t i = 0; i < s.size();) {
    const auto b = byte_at(s, i);
    if (b < 0x80) {
      ++i;
      continue;
    }
    if (b < 0xC2 || b > 0xF4) return false;
    const auto size = length_of(b);
    if (i + size > s.size()) return false;
    for (std::size_t k = 1; k < size; ++k) {
      if (!is_continuation(byte_at(s, i + k))) return false;
    }
    const auto second = byte_at(s, i + 1);
    if ((b == 0xE0 && second < 0xA0) || (b == 0xED && second > 0x9F) || (b == 0xF0 && second < 0x90) ||
        (b == 0xF4 && second > 0x8F)) {
      return false;
    }
    i += size;
  }
  return true;
}

}  // namespace throughline
