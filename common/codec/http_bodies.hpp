#pragma once
// The JSON bodies of the HTTP API (design 5.2, 5.3), decoded. Strings are sanitised. An empty body is `{}` wherever no
// field is required. Unknown fields are ignored. Error codes: `bad_request`, `too_large`, `one_message_only`,
// `unsupported_content`; `http_status_of` gives their status.

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/id.hpp"
#include "common/base/instant.hpp"
#include "common/base/result.hpp"
#include "common/model/session.hpp"

namespace throughline::codec {

inline constexpr std::size_t prompt_bytes_max = std::size_t{1} << 20;
inline constexpr std::size_t metadata_bytes_max = std::size_t{16} << 10;
inline constexpr std::size_t name_bytes_max = 1024;

struct create_body {
  std::string name;
  std::string agent_name;
  std::string metadata = "{}";  ///< a JSON object as text
};
struct rename_body {
  std::string name;
};
struct post_message_body {
  std::string content;
  bool interrupt = false;
  std::optional<std::string> id;
};
struct cancel_turn_body {
  std::optional<interaction_id> interaction;
};
struct put_grant_body {
  role what = role::viewer;
};
struct create_key_body {
  std::string name;
};
struct mint_token_body {
  std::optional<millis> ttl;
};
struct chat_body {
  std::optional<session_id> session;
  std::string content;
  bool stream = false;
  bool interrupt = false;
};

result<create_body> decode_create(std::string_view json);
result<rename_body> decode_rename(std::string_view json);
result<post_message_body> decode_post_message(std::string_view json);
result<cancel_turn_body> decode_cancel(std::string_view json);
result<put_grant_body> decode_put_grant(std::string_view json);
result<create_key_body> decode_create_key(std::string_view json);
result<mint_token_body> decode_mint_token(std::string_view json);
result<chat_body> decode_chat(std::string_view json);
/// The session that a chat names, also where the rest of the body is at fault; empty where it cannot be read.
std::optional<session_id> session_of_chat(std::string_view json);

/// An Idempotency-Key: 1 to 128 bytes, no control characters; `bad_request` otherwise.
result<std::string> check_idempotency_id(std::string_view id);

/// A duration as settings have them: integer with ms, s, m or h. Empty on anything else, and on 0 or overflow.
std::optional<millis> parse_duration(std::string_view text);

struct status_of_code {
  std::string_view code;
  int status;
};
/// The error codes of design 5.2 and 5.3, each with its HTTP status.
inline constexpr std::array http_statuses = {
    status_of_code{"bad_request", 400},         status_of_code{"one_message_only", 400},
    status_of_code{"unsupported_content", 400}, status_of_code{"unauthorized", 401},
    status_of_code{"forbidden", 403},           status_of_code{"not_found", 404},
    status_of_code{"child_session", 409},       status_of_code{"id_reused", 409},
    status_of_code{"already_issued", 409},      status_of_code{"turn_interrupted", 409},
    status_of_code{"position_unknown", 410},    status_of_code{"too_large", 413},
    status_of_code{"queue_full", 429},          status_of_code{"too_many", 429},
    status_of_code{"too_many_sockets", 429},    status_of_code{"turn_error", 502},
    status_of_code{"agent_offline", 503},       status_of_code{"shutting_down", 503},
    status_of_code{"not_accepted", 503},        status_of_code{"busy", 503},
    status_of_code{"unavailable", 503},         status_of_code{"agent_timeout", 504},
    status_of_code{"outcome_unknown", 504},
};
/// 500 for a code that is not there.
int http_status_of(std::string_view code);

}  // namespace throughline::codec
