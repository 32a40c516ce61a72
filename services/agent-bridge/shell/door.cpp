#include "services/agent-bridge/shell/door.hpp"

#include <utility>

#include "common/codec/digest.hpp"
#include "common/io/net/event_loop.hpp"
#include "common/io/net/http_server.hpp"
#include "services/agent-bridge/core/credentials.hpp"

namespace throughline::agent_bridge {
namespace {

constexpr millis read_timeout{500};  // design 3.7

}  // namespace

io::http_response unavailable(std::string_view why, unsigned after_s) {
  auto response = io::http_response::failure(503, "unavailable", why);
  response.headers.emplace_back("Retry-After", std::to_string(after_s));
  return response;
}

boost::asio::awaitable<std::variant<io::http_response, admission>> door::admit(io::http_request& request,
                                                                               steady::time_point deadline) {
  using io::http_response;
  const auto token = agent_token(request.header("Authorization"));
  if (!token) co_return http_response::failure(401, "unauthorized", "an agent token of the session is needed");
  const auto hash = codec::sha256_hex(*token);
  const auto owner = co_await find_token(hash, deadline);
  if (!owner) co_return unavailable("the session service does not answer");
  if (owner->empty()) co_return http_response::failure(401, "unauthorized", "this agent token is not valid");
  auto wanted = request.parameter("session_id").value_or("");
  if (wanted.empty()) wanted = request.parameter("agent_id").value_or("");
  if (wanted.empty()) co_return http_response::failure(400, "session_id_missing", "session_id is needed");
  admission admitted{session_id(*owner), hash, std::nullopt};
  if (io::offers_protocol(request.header("Sec-WebSocket-Protocol"), v2_protocol)) {
    admitted.instance = agent_instance(std::string(request.parameter("instance").value_or("")));
    if (!admitted.instance) {
      co_return http_response::failure(400, "instance_missing", "instance, of 1 to 256 bytes, is needed for v2");
    }
  }
  if (wanted != *owner) co_return http_response::failure(404, "not_found", "there is no such session");
  co_return admitted;
}

boost::asio::awaitable<std::optional<std::string>> door::find_token(std::string token_hash,
                                                                    steady::time_point deadline) {
  const read_request question = find_agent_token{std::move(token_hash)};
  for (unsigned failures = 0;;) {
    const auto answer = co_await owner_.read(question, read_timeout);
    if (answer) {
      if (const auto* found = std::get_if<owner_reading>(&*answer)) {
        co_return found->found ? found->owner : std::string();
      }
    }
    const auto why = answer ? send_failure::unusable : answer.error();
    counts_.retried(why);
    const auto pause = retry_delay(why, ++failures, chance_.next());
    if (steady::now() + pause >= deadline) co_return std::nullopt;
    co_await io::sleep_for(pause);
  }
}

}  // namespace throughline::agent_bridge
