#include "services/gateway/core/routes.hpp"

#include <array>
#include <utility>

namespace throughline::gateway {

namespace {

struct line {
  std::string_view method;
  std::string_view pattern;  ///< below /api/v1; `{s}` a session, `{i}` an interaction, a user or a key
  operation what;
};

constexpr std::array table = {
    line{"POST", "/sessions", operation::create_session},
    line{"GET", "/sessions", operation::list_sessions},
    line{"POST", "/sessions/chat", operation::chat},
    line{"GET", "/sessions/{s}", operation::read_session},
    line{"PUT", "/sessions/{s}", operation::rename_session},
    line{"DELETE", "/sessions/{s}", operation::delete_session},
    line{"GET", "/sessions/{s}/interactions", operation::list_interactions},
    line{"GET", "/sessions/{s}/interactions/{i}", operation::read_interaction},
    line{"GET", "/sessions/{s}/interactions/{i}/stream", operation::stream_answer},
    line{"POST", "/sessions/{s}/messages", operation::post_message},
    line{"POST", "/sessions/{s}/cancel", operation::cancel},
    line{"GET", "/sessions/{s}/events", operation::read_events},
    line{"POST", "/sessions/{s}/agent-token", operation::mint_agent_token},
    line{"DELETE", "/sessions/{s}/agent-token", operation::revoke_agent_tokens},
    line{"GET", "/sessions/{s}/grants", operation::list_grants},
    line{"PUT", "/sessions/{s}/grants/{i}", operation::put_grant},
    line{"DELETE", "/sessions/{s}/grants/{i}", operation::delete_grant},
    line{"GET", "/agents", operation::list_agents},
    line{"POST", "/keys", operation::issue_key},
    line{"DELETE", "/keys/{i}", operation::revoke_key},
    line{"GET", "/ws/user", operation::user_socket},
};

/// The next part of a pattern, without its slash.
std::string_view take_part(std::string_view& pattern) {
  const auto end = pattern.find('/', 1);
  const auto part = pattern.substr(1, end == std::string_view::npos ? end : end - 1);
  pattern.remove_prefix(end == std::string_view::npos ? pattern.size() : end);
  return part;
}

bool matches(std::string_view pattern, std::span<const std::string> parts, route& out) {
  for (const auto& part : parts) {
    if (pattern.empty()) return false;
    const auto wanted = take_part(pattern);
    if (wanted != "{s}" && wanted != "{i}") {
      if (part != wanted) return false;
      continue;
    }
    if (part.empty()) return false;
    (wanted == "{s}" ? out.session : out.inner) = part;
  }
  return pattern.empty();
}

void add_method(std::string& allow, std::string_view method) {
  if (!allow.empty()) allow += ", ";
  allow += method;
  if (method == "GET") allow += ", HEAD";
}

}  // namespace

right right_needed(operation what) {
  switch (what) {
    case operation::create_session:
    case operation::list_sessions:
    case operation::list_agents:
    case operation::chat:
    case operation::issue_key:
    case operation::revoke_key:
      return right::none;
    case operation::read_session:
    case operation::list_interactions:
    case operation::read_interaction:
    case operation::read_events:
    case operation::user_socket:
    case operation::stream_answer:
      return right::watch;
    case operation::rename_session:
    case operation::post_message:
    case operation::cancel:
    case operation::mint_agent_token:
    case operation::revoke_agent_tokens:
      return right::steer;
    case operation::delete_session:
    case operation::list_grants:
    case operation::put_grant:
    case operation::delete_grant:
      return right::own;
  }
  return right::own;
}

bool may_be_put_off(operation what) {
  switch (what) {
    case operation::create_session:
    case operation::rename_session:
    case operation::delete_session:
    case operation::post_message:
    case operation::cancel:
    case operation::mint_agent_token:
    case operation::revoke_agent_tokens:
    case operation::put_grant:
    case operation::delete_grant:
    case operation::issue_key:
    case operation::revoke_key:
      return false;
    case operation::list_sessions:
    case operation::read_session:
    case operation::list_interactions:
    case operation::read_interaction:
    case operation::chat:
    case operation::stream_answer:
    case operation::read_events:
    case operation::list_grants:
    case operation::list_agents:
    case operation::user_socket:
      return true;
  }
  return true;
}

bool is_stream(operation what) {
  return what == operation::stream_answer;
}

bool stays(operation what) {
  return what == operation::chat || what == operation::stream_answer;
}

routing find_route(std::string_view method, std::span<const std::string> segments) {
  if (segments.size() < 3 || segments[0] != "api" || segments[1] != "v1") return unknown_path{};
  const auto below = segments.subspan(2);
  const auto asked = method == "HEAD" ? std::string_view("GET") : method;
  std::string allow;
  std::string_view path;
  for (const auto& one : table) {
    route found{one.what, {}, {}};
    // A path is one pattern's, the first that it matches: `chat` is no session.
    if ((!path.empty() && one.pattern != path) || !matches(one.pattern, below, found)) continue;
    path = one.pattern;
    if (one.method == asked) return found;
    add_method(allow, one.method);
  }
  if (allow.empty()) return unknown_path{};
  return wrong_method{std::move(allow)};
}

}  // namespace throughline::gateway
