#pragma once
// UTF-8 text and its length in UTF-16 code units, the unit of browsers' strings (P-B5). All functions take valid UTF-8.

#include <cstddef>
#include <string>
#include <string_view>

namespace throughline {

/// Length in UTF-16 code units: a code point from U+10000 on counts 2.
std::size_t utf16_length(std::string_view utf8);

/// The largest length <= `bytes` at which `utf8` can be cut without splitting a code point.
std::size_t code_point_floor(std::string_view utf8, std::size_t bytes);

/// Bytes of the longest common prefix that splits no code point.
std::size_t common_prefix(std::string_view a, std::string_view b);

/// Bytes of the prefix that has `units` UTF-16 units (the whole text when it is shorter; a unit inside a pair rounds
/// down).
std::size_t utf16_to_bytes(std::string_view utf8, std::size_t units);

/// Strips what neither a database nor a browser may get (P-A9.1): NUL, C0 controls except tab, newline and carriage
/// return, U+0080..U+009F, U+FFFE and U+FFFF. Returns true when something was stripped.
bool sanitise(std::string& utf8);

/// True iff the bytes are well-formed UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view bytes);

}  // namespace throughline
