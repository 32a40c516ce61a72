#pragma once
// Strong ids: a session id cannot be passed where an interaction id is meant. Plain values, ordered and hashable.
// The text of an id is chosen by us (ses_, int_, ... + ULID) or by an agent or client (thread, message, prompt and
// request ids: at most `outside_id_bytes_max` bytes, sanitised at the codec).

#include <compare>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace throughline {

/// Longest id an outsider may choose, in bytes (design 3.6).
inline constexpr std::size_t outside_id_bytes_max = 256;
/// Longest idempotency key or body `id`, in bytes (design 5.3).
inline constexpr std::size_t idempotency_id_bytes_max = 128;

template <class Tag>
class strong_id {
 public:
  strong_id() = default;
  explicit strong_id(std::string text) : text_(std::move(text)) {}

  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  auto operator<=>(const strong_id&) const = default;

 private:
  std::string text_;
};

using session_id = strong_id<struct session_tag>;          ///< ses_ + ULID
using interaction_id = strong_id<struct interaction_tag>;  ///< int_ + ULID; also the request_id sent to the agent
using prompt_id = strong_id<struct prompt_tag>;            ///< given by the client, else prompt_ + ULID
using thread_id = strong_id<struct thread_tag>;            ///< the agent's acp_thread_id
using message_id = strong_id<struct message_tag>;          ///< the agent's id of an entry
using request_id = strong_id<struct request_tag>;  ///< what an agent says in request_id: int_..., req_... or anything
using attachment_id = strong_id<struct attachment_tag>;  ///< att_ + ULID, made by the bridge per socket
using bridge_id = strong_id<struct bridge_tag>;          ///< brg_ + ULID, one life of an agent-bridge process
using command_id = strong_id<struct command_tag>;        ///< cmd_ + ULID
using user_id = strong_id<struct user_tag>;              ///< `sub` of a JWT

}  // namespace throughline

template <class Tag>
struct std::hash<throughline::strong_id<Tag>> {
  std::size_t operator()(const throughline::strong_id<Tag>& id) const noexcept {
    return std::hash<std::string_view>{}(id.text());
  }
};
