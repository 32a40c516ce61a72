#pragma once
// RFC 3339 UTC with microseconds, e.g. 2026-08-08T10:00:00.123456Z.

#include <optional>
#include <string>
#include <string_view>

#include "common/base/instant.hpp"

namespace throughline::codec {

std::string time_text(instant at);
void append_time(std::string& out, instant at);

/// Takes 0 to 9 digits of fraction (beyond microseconds they are dropped), `Z` only. Empty on anything else.
std::optional<instant> parse_time(std::string_view text);

}  // namespace throughline::codec
