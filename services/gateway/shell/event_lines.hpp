#pragma once
// The body of read_events: one event per line, as viewers receive them.

#include <cstddef>
#include <string_view>
#include <vector>

#include "common/replay/live_event.hpp"

namespace throughline::gateway {

/// The events, up to the first line that is none.
std::vector<replay::live_event> events_of_lines(std::string_view lines);

std::size_t count_lines(std::string_view lines);  ///< those that are not empty

}  // namespace throughline::gateway
