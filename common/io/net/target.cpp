#include <algorithm>
#include <string>

#include "common/io/net/http.hpp"

namespace throughline::io {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool decode(std::string_view in, bool plus_is_blank, std::string& out) {
  out.clear();
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    char c = in[i];
    if (c == '%') {
      if (i + 2 >= in.size()) return false;
      const int high = hex_value(in[i + 1]);
      const int low = hex_value(in[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_blank) {
      c = ' ';
    }
    if (c == '\0') return false;
    out.push_back(c);
  }
  return true;
}

/// Gives the part before `separator` and cuts it off; the last part leaves `rest` without data.
std::string_view next_part(std::string_view& rest, char separator, bool& more) {
  const auto at = rest.find(separator);
  const auto part = rest.substr(0, at);
  more = at != std::string_view::npos;
  rest = more ? rest.substr(at + 1) : std::string_view{};
  return part;
}

bool parse_query(std::string_view text, http_request& into) {
  for (bool more = !text.empty(); more;) {
    const auto part = next_part(text, '&', more);
    if (part.empty()) continue;
    const auto equals = part.find('=');
    auto& [name, value] = into.query.emplace_back();
    if (!decode(part.substr(0, equals), true, name)) return false;
    if (equals != std::string_view::npos && !decode(part.substr(equals + 1), true, value)) return false;
  }
  return true;
}

bool starts_with_scheme(std::string_view target, std::string_view scheme) {
  return std::ranges::equal(target.substr(0, scheme.size()), scheme, {},
                            [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
}

/// Cuts scheme and authority off an absolute target. The authority is the Host that counts (RFC 9112, 3.2.2). False:
/// there is none that can be used.
bool take_authority(std::string_view& target, http_request& into) {
  const auto begin = target.find("//") + 2;
  const auto end = std::min(target.find_first_of("/?#", begin), target.size());
  const auto authority = target.substr(begin, end - begin);
  if (authority.empty() || authority.find('@') != std::string_view::npos) return false;
  std::erase_if(into.headers, [](const auto& one) { return is_same_name(one.first, "Host"); });
  into.headers.emplace_back("Host", authority);
  target.remove_prefix(end);
  return true;
}

}  // namespace

bool parse_target(std::string_view target, http_request& into) {
  std::string rooted;
  if (starts_with_scheme(target, "http://") || starts_with_scheme(target, "https://")) {
    if (!take_authority(target, into)) return false;
    if (!target.starts_with('/')) target = rooted = "/" + std::string(target);
  }
  if (target.empty() || target.front() != '/') return false;
  target = target.substr(0, target.find('#'));
  const auto question = target.find('?');
  const auto path = target.substr(0, question);
  into.path = path;
  into.segments.clear();
  into.query.clear();
  auto rest = path.substr(1);
  for (bool more = !rest.empty(); more;) {
    const auto part = next_part(rest, '/', more);
    auto& segment = into.segments.emplace_back();
    if (!decode(part, false, segment)) segment.assign(1, '\0');
  }
  return question == std::string_view::npos || parse_query(target.substr(question + 1), into);
}

}  // namespace throughline::io
