#include "services/gateway/core/identity.hpp"

#include <algorithm>
#include <cctype>

namespace throughline::gateway {

namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::unexpected<error> refused(const char* message) {
  return fail("unauthorized", message);
}

std::optional<std::string_view> bearer(std::string_view header) {
  constexpr std::string_view scheme = "bearer ";
  if (header.size() <= scheme.size() || !equal_ignoring_case(header.substr(0, scheme.size()), scheme)) {
    return std::nullopt;
  }
  const auto token = trim(header.substr(scheme.size()));
  if (token.empty()) return std::nullopt;
  return token;
}

std::string_view cookie_value(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    const auto end = cookies.find(';');
    const auto pair = trim(cookies.substr(0, end));
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) return pair.substr(equals + 1);
    if (end == std::string_view::npos) break;
    cookies.remove_prefix(end + 1);
  }
  return {};
}

// A `sub` goes into log lines and database rows.
bool is_usable_subject(std::string_view subject) {
  return !subject.empty() && subject.size() <= outside_id_bytes_max &&
         std::ranges::none_of(subject, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

bool is_allowed_origin(std::string_view origin, std::string_view host, const origin_list& allowed) {
  if (origin.empty()) return false;
  const auto scheme = origin.find("://");
  if (scheme != std::string_view::npos && !host.empty() && equal_ignoring_case(origin.substr(scheme + 3), host)) {
    return true;
  }
  return std::ranges::any_of(allowed, [&](const std::string& one) { return equal_ignoring_case(one, origin); });
}

result<std::string_view> find_token(const credentials& shown, const origin_list& allowed) {
  if (!shown.authorization.empty()) {
    if (const auto token = bearer(shown.authorization)) return *token;
    return refused("the Authorization header is not of the form `Bearer <token>`");
  }
  if (const auto token = cookie_value(shown.cookie, "access_token"); !token.empty()) {
    const bool trusted = shown.origin.empty() ? shown.read_only : is_allowed_origin(shown.origin, shown.host, allowed);
    if (!trusted) return refused("a cookie is not taken from this origin");
    return token;
  }
  if (shown.query_token_allowed && !shown.query_token.empty()) return shown.query_token;
  return refused("no token was given");
}

result<identity> identify(const claims& said, double now_unix_s) {
  if (!said.subject || !is_usable_subject(*said.subject)) return refused("the token has no usable `sub`");
  if (!said.expires) return refused("the token has no `exp`");
  if (!(now_unix_s < *said.expires)) return refused("the token has expired");
  if (said.not_before && now_unix_s < *said.not_before) return refused("the token is not valid yet");
  return identity{user_id(*said.subject), said.expires, {}};
}

}  // namespace throughline::gateway
