#include "common/io/nats/server_url.hpp"

#include <algorithm>
#include <charconv>

namespace throughline::io::detail {
namespace {

/// A `%` that is not followed by two hexadecimal digits stands for itself.
std::string decoded(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned char byte = 0;
    const auto* digits = text.data() + at + 1;
    const bool has_digits = text[at] == '%' && at + 2 < text.size();
    if (has_digits && std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      plain += static_cast<char>(byte);
      at += 2;
    } else {
      plain += text[at];
    }
  }
  return plain;
}

server_url parse(std::string_view url) {
  server_url parsed;
  const auto scheme_end = url.find("://");
  const auto scheme = scheme_end == std::string_view::npos ? "nats://" : url.substr(0, scheme_end + 3);
  auto rest = scheme_end == std::string_view::npos ? url : url.substr(scheme_end + 3);
  parsed.tls = scheme == "tls://";
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    const auto who = rest.substr(0, at);
    rest = rest.substr(at + 1);
    const auto colon = who.find(':');
    parsed.has_password = colon != std::string_view::npos;
    parsed.user = decoded(who.substr(0, colon));
    if (parsed.has_password) parsed.password = decoded(who.substr(colon + 1));
  }
  parsed.address = std::string(scheme) + std::string(rest);
  return parsed;
}

}  // namespace

std::vector<server_url> parse_server_urls(std::string_view list) {
  std::vector<server_url> urls;
  for (std::size_t from = 0; from <= list.size();) {
    const auto comma = std::min(list.find(',', from), list.size());
    std::string url(list.substr(from, comma - from));
    std::erase(url, ' ');
    if (!url.empty()) urls.push_back(parse(url));
    from = comma + 1;
  }
  return urls;
}

}  // namespace throughline::io::detail
