#pragma once
// What waits for an answer over HTTP (design 5.3.1): what is cut out of committed events, and the chunks and bodies
// made of it. An event's own patch list is passed on byte by byte.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/model/entry.hpp"
#include "common/model/event.hpp"
#include "common/model/interaction.hpp"
#include "common/model/session.hpp"

namespace throughline::codec {

/// One event, as far as a waiter looks into it.
struct answer_event {
  event_kind kind = event_kind::session_update;
  position at;
  interaction_id interaction;
  patch_set patches;                                       ///< interaction_patch
  std::string patch_list;                                  ///< interaction_patch: the same, as the event has it
  std::shared_ptr<const throughline::interaction> record;  ///< interaction_update
  std::string agent;                                       ///< session_update: differs when the agent's status does
  std::vector<interaction_id> queue;                       ///< session_update
};

/// `kind` and `at` are those of the event's headers. Error `bad_stored`.
result<answer_event> cut_answer_event(event_kind kind, position at, std::string_view body);
/// Of the bodies of a created session and an accepted prompt; empty when they are not of that form.
std::optional<session_id> id_of_session(std::string_view session_json);
std::optional<interaction_id> interaction_of_message(std::string_view message_body);

/// A chunk of a stream, as a whole server-sent event.
struct chat_chunk {
  position at;
  bool reset = false;
  bool stop = false;
  std::optional<std::string_view> content;
  std::string_view patch_list;             ///< JSON; empty: none is said
  std::optional<std::size_t> entry_count;  ///< the list is cut to it
};
std::string encode_chat_chunk(const session_id& session, const chat_chunk& chunk);
/// `at` absent: no committed event says so.
std::string encode_chat_error(std::optional<position> at, const error& why);
inline constexpr std::string_view chat_done = "data: [DONE]\n\n";
inline constexpr std::string_view chat_keep_alive = ": keep-alive\n\n";
/// Not dispatched, since it has no data: from now on a browser comes back after 100 ms, not after some seconds.
inline constexpr std::string_view chat_come_back = "retry: 100\n\n";

/// The contents of the entries that have any, joined by a blank line (`response_message`).
std::string response_text(const std::vector<entry>& entries);
/// The blocking answer: an OpenAI chat.completion.
std::string chat_completion_body(const interaction& done);

}  // namespace throughline::codec
