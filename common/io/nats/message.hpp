#pragma once
// What travels between services: a subject, headers and a body, as values.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace throughline::io {

/// Few, short, in order; names are case-sensitive.
using message_headers = std::vector<std::pair<std::string, std::string>>;

struct message {
  std::string subject;
  std::string reply;  ///< where `nats_link::respond` answers; empty where no answer is wanted
  message_headers headers;
  std::string body;

  /// The first header of that name, or "".
  std::string_view header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
};

}  // namespace throughline::io
