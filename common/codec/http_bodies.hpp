#pragma once
// The JSON bodies of the HTTP API (design 5.2, 5.3), decoded. Strings are sanitised. An empty body is `{}` wherever no
// field is required. Unknown fields are ignored. Error codes: `bad_request`, `too_large`, `one_message_only`,
// `unsupported_content`; `http_status_of` gives their status.

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

/// An Idempotency-Key: 1 to 128 bytes, no control characters; `bad_request` otherwise.
result<std::string> check_idempotency_id(std::string_view id);

/// A duration as settings have them: integer with ms, s, m or h. Empty on anything else, and on 0 or overflow.
std::optional<millis> parse_duration(std::string_view text);

/// The HTTP status of an error code of design 5.2 and 5.3; 500 for one that is not there.
int http_status_of(std::string_view code);

}  // namespace throughline::codec
