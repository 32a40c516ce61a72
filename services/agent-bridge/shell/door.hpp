#pragma once
// Who may attach: the checks before an upgrade, in their order (design 5.5). Loop's thread.

#include <chrono>
#include <optional>
#include <string>
#include <variant>

#include <boost/asio/awaitable.hpp>

#include "common/base/id.hpp"
#include "common/base/ulid.hpp"
#include "common/io/net/http.hpp"
#include "services/agent-bridge/shell/owner_link.hpp"
#include "services/agent-bridge/shell/probe.hpp"

namespace throughline::agent_bridge {

inline constexpr std::string_view v2_protocol = "throughline.agent.v2";

/// An agent that may attach to this session.
struct admission {
  session_id session;
  std::string token_hash;
  std::optional<std::string> instance;  ///< of a v2 agent
};

class door {
 public:
  using steady = std::chrono::steady_clock;

  door(owner_link& owner, probe& counts) : owner_(owner), counts_(counts), chance_(system_entropy()) {}

  boost::asio::awaitable<std::variant<io::http_response, admission>> admit(io::http_request& request,
                                                                           steady::time_point deadline);

 private:
  /// The session a token is for; empty text: none; empty optional: nobody could say in time.
  boost::asio::awaitable<std::optional<std::string>> find_token(std::string token_hash, steady::time_point deadline);

  owner_link& owner_;
  probe& counts_;
  id_source chance_;
};

/// 503: come again after so many seconds.
io::http_response unavailable(std::string_view why, unsigned after_s = 1);

}  // namespace throughline::agent_bridge
