#pragma once
// Who asks (design 5.2): where a token is looked for, when a cookie counts, and what a verified JWT must say.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/result.hpp"

namespace throughline::gateway {

/// What a request shows of its sender. Borrowed for the length of the call; absent headers are empty.
struct credentials {
  std::string_view authorization;
  std::string_view cookie;
  std::string_view query_token;  ///< `access_token` of the query, percent-decoded
  std::string_view origin;
  std::string_view host;
  bool read_only = false;            ///< GET or HEAD that is not a WebSocket
  bool query_token_allowed = false;  ///< WebSocket or SSE
};

/// Origins allowed beside the page's own, as given in settings, e.g. https://app.example.
using origin_list = std::vector<std::string>;

/// The token of the first source that shows one: Authorization, cookie `access_token`, query `access_token`.
/// Error `unauthorized`: none, an Authorization that is not `Bearer T`, or a cookie from an origin that is not allowed.
result<std::string_view> find_token(const credentials& shown, const origin_list& allowed);

/// True iff `origin` is that of `host` itself or listed. An absent origin is not.
bool is_allowed_origin(std::string_view origin, std::string_view host, const origin_list& allowed);

/// The claims of a JWT whose signature has been verified; times in seconds since 1970, as the token has them.
struct claims {
  std::optional<std::string> subject;
  std::optional<double> expires;
  std::optional<double> not_before;
};

/// Somebody who may ask, until `expires_unix_s`.
struct identity {
  user_id user;
  std::optional<double> expires_unix_s;  ///< absent: an API key, valid until revoked
  std::string key_hash;                  ///< of an API key; empty for a JWT
};

/// `sub` and `exp` are required, without leeway: at `exp` the token is no longer good. Error `unauthorized`.
result<identity> identify(const claims& said, double now_unix_s);

inline constexpr std::string_view api_key_prefix = "hl-";
inline bool is_api_key(std::string_view token) {
  return token.starts_with(api_key_prefix);
}

}  // namespace throughline::gateway
