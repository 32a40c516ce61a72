#pragma once
// The frames of a v2 user socket that are not events (design 5.4): what a client sends, and our answers.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/id.hpp"
#include "common/base/position.hpp"
#include "common/base/result.hpp"

namespace throughline::codec {

namespace user {
struct resync {
  std::string id;
};
struct prompt {
  std::string id;
  std::string content;
  bool interrupt = false;
};
struct cancel {
  std::string id;
  std::optional<interaction_id> interaction;
};
struct token {
  std::string id;
  std::string value;
};
}  // namespace user

using user_frame = std::variant<user::resync, user::prompt, user::cancel, user::token>;

/// `id` is there when the frame parsed and had a usable one.
struct user_frame_fault {
  std::optional<std::string> id;
  error what;  ///< bad_frame, bad_request, too_large
};
std::expected<user_frame, user_frame_fault> decode_user_frame(std::string_view text);

/// `body` is the HTTP answer's JSON object; its fields follow, a `status` among them under the name `result`.
std::string encode_user_ack(std::string_view id, std::string_view body = "{}");
std::string encode_user_error(const std::optional<std::string>& id, std::string_view code, std::string_view message);
std::string encode_heartbeat(const session_id& session, position last_sent);
std::string encode_replay_complete(const session_id& session, position at);
std::string encode_reconnect(std::uint32_t after_ms);
/// The reason of a close 4429 or 4503: {"after_ms":n}.
std::string close_reason(std::uint32_t after_ms);

}  // namespace throughline::codec
