#pragma once
// What an agent presents (design 5.2, 5.5). Pure.

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/id.hpp"
#include "common/base/utf.hpp"

namespace throughline::agent_bridge {

/// The token of `Authorization: Bearer ha-...`. Empty for anything that cannot be an agent token (another kind of
/// token, a wrong character, more than 256 bytes), which need not be looked up.
inline std::optional<std::string> agent_token(std::string_view authorization) {
  constexpr std::string_view scheme = "Bearer ";
  constexpr std::string_view prefix = "ha-";
  if (!authorization.starts_with(scheme)) return std::nullopt;
  const auto token = authorization.substr(scheme.size());
  constexpr std::string_view allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const bool shaped = token.starts_with(prefix) && token.size() > prefix.size() && token.size() <= 256 &&
                      token.find_first_not_of(allowed) == std::string_view::npos;
  return shaped ? std::optional(std::string(token)) : std::nullopt;
}

/// What a v2 agent calls this life of its process, as it is kept. Empty for a name that is none: not UTF-8, more than
/// 256 bytes, or nothing left of it when it is sanitised.
inline std::optional<std::string> agent_instance(std::string name) {
  if (name.size() > outside_id_bytes_max || !is_utf8(name)) return std::nullopt;
  sanitise(name);
  return name.empty() ? std::nullopt : std::optional(std::move(name));
}

}  // namespace throughline::agent_bridge
