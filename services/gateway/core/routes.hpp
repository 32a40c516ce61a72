#pragma once
// The table of design 5.3: method and path -> operation. Pure text; nothing here says who may.

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "common/model/session.hpp"

namespace throughline::gateway {

enum class operation {
  create_session,
  list_sessions,
  read_session,
  rename_session,
  delete_session,
  list_interactions,
  read_interaction,
  post_message,
  cancel,
  chat,
  stream_answer,
  read_events,
  mint_agent_token,
  revoke_agent_tokens,
  list_grants,
  put_grant,
  delete_grant,
  list_agents,
  issue_key,
  revoke_key,
  user_socket,
};

/// A GET that goes on: a browser shows its token in the query there (design 5.2).
bool is_stream(operation what);

/// A request that is answered when a turn is, and stays until then: none is begun by a gateway that drains.
bool stays(operation what);

/// What an overloaded gateway refuses before anything has happened: reads, and what stays. A change costs it little, is
/// decided elsewhere, and may be the cancel that ends the load.
bool may_be_put_off(operation what);

/// What one needs on the session the path names; `none` where it names none.
right right_needed(operation what);

struct route {
  operation what;
  std::string session;  ///< as given: its form has not been checked
  std::string inner;    ///< an interaction, a user or a key
};
/// The path is known, the method is not one of these (for `Allow`, e.g. "GET, HEAD, POST").
struct wrong_method {
  std::string allow;
};
struct unknown_path {};
using routing = std::variant<route, wrong_method, unknown_path>;

/// `segments`: the path's parts, percent-decoded. HEAD is routed as GET.
routing find_route(std::string_view method, std::span<const std::string> segments);

}  // namespace throughline::gateway
