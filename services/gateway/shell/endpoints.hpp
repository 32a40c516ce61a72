#pragma once
// The HTTP operations of design 5.3, one member each: decode, ask state-sync, pass its body on unread. Loop's thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "common/base/ulid.hpp"
#include "common/io/net/http.hpp"
#include "services/gateway/core/identity.hpp"
#include "services/gateway/core/routes.hpp"
#include "services/gateway/shell/failures.hpp"
#include "services/gateway/shell/state_sync_link.hpp"

namespace throughline::gateway {

class answers;

/// One request of somebody known, on its way through. Lives as long as the request.
struct call {
  const io::http_request& request;
  identity who;
  operation what;
  session_id session;  ///< well-formed where the path names one
  std::string inner;   ///< as in `route`
  millis begun{0};     ///< when it was known who asks; what is read for the answer is bounded from here
};

class endpoints {
 public:
  using response = boost::asio::awaitable<io::http_response>;

  /// All of them outlive this.
  endpoints(state_sync_link& state_sync, answers& waiters, id_source& ids)
      : state_sync_(state_sync), answers_(waiters), ids_(ids) {}

  boost::asio::awaitable<io::http_result> answer_to(const call& c);
  bool is_cut_off() const { return state_sync_.is_cut_off(); }

 private:
  response answer_whole(const call& c);
  boost::asio::awaitable<io::http_result> chat(const call& c);
  response invalid_chat(const call& c, error fault);
  boost::asio::awaitable<io::http_result> stream(const call& c);
  boost::asio::awaitable<result<answer>> found_session(const caller& by);
  static millis time_left(const call& c);

  response create(const call& c);
  response rename(const call& c);
  response remove(const call& c);
  response post_message(const call& c);
  response cancel(const call& c);
  response mint_token(const call& c);
  response revoke_tokens(const call& c);
  response put_grant_of(const call& c);
  response delete_grant_of(const call& c);
  response issue_key_of(const call& c);
  response revoke_key_of(const call& c);

  response list(const call& c);
  response list_attached(const call& c);
  response read_one_session(const call& c);
  response list_interactions(const call& c);
  response read_one_interaction(const call& c);
  response read_event_lines(const call& c);
  response list_grants(const call& c);

  /// Of ids made for a client that gave none.
  static constexpr std::string_view id_prefix = "idem_";
  /// The caller with the id the client gave, by header or body, or one made with `prefix`.
  result<caller> caller_of(const call& c, const std::optional<std::string>& body_id, std::string_view prefix);
  response change(session_request request, mutation_attempts::patience how_long = {});
  /// The answer to a request that is itself at fault, which is told only to those who may know of the session
  /// (design 5.2, order of checks).
  response invalid(const call& c, error fault);
  /// The session's head and access, judged.
  boost::asio::awaitable<result<head_reading>> visible_head(const call& c);
  boost::asio::awaitable<result<session_reading>> read_visible(const call& c, read_request request);

  state_sync_link& state_sync_;
  answers& answers_;
  id_source& ids_;
};

}  // namespace throughline::gateway
