#include "services/gateway/shell/event_lines.hpp"

#include <memory>
#include <string>

#include "common/codec/parse.hpp"

namespace throughline::gateway {

namespace {

std::string_view take_line(std::string_view& lines) {
  const auto end = lines.find('\n');
  const auto line = lines.substr(0, end);
  lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
  return line;
}

}  // namespace

std::vector<replay::live_event> events_of_lines(std::string_view lines) {
  std::vector<replay::live_event> events;
  while (!lines.empty()) {
    const auto line = take_line(lines);
    if (line.empty()) continue;
    auto headers = codec::headers_of_body(line);
    if (!headers || !codec::is_event(headers->kind)) break;
    events.push_back({.at = headers->at,
                      .kind = static_cast<event_kind>(headers->kind),
                      .interaction = std::move(headers->interaction),
                      .terminal = headers->terminal,
                      .body = std::make_shared<const std::string>(line)});
  }
  return events;
}

std::size_t count_lines(std::string_view lines) {
  std::size_t count = 0;
  while (!lines.empty()) {
    if (!take_line(lines).empty()) ++count;
  }
  return count;
}

}  // namespace throughline::gateway
