#pragma once
// Internal to the codec: which fields each message between services has, under which name. Written and read by the same
// description (wire_write.hpp, wire_read.hpp). A body that travels behind the envelope is not listed here.

#include <string_view>
#include <tuple>

#include "common/model/bridge_order.hpp"
#include "common/model/reply.hpp"
#include "common/model/request.hpp"

namespace throughline::codec::wire {

template <class Member>
struct field {
  const char* name;
  Member member;
};
template <class Member>
field(const char*, Member) -> field<Member>;

/// A field that most messages do not need: left out while it has its default, which is what a reader takes then.
template <class Member>
struct rare_field {
  const char* name;
  Member member;
};
template <class Member>
rare_field(const char*, Member) -> rare_field<Member>;

template <class Field>
inline constexpr bool is_rare = false;
template <class Member>
inline constexpr bool is_rare<rare_field<Member>> = true;

/// False for an alternative that travels in the list of another message only.
template <class T>
inline constexpr bool has_message = true;
template <>
inline constexpr bool has_message<renewal> = false;

/// `name` is the `op` of a message or variant alternative; `fields` a tuple of `field`.
template <class T>
struct shape;

template <class T>
concept shaped = requires { shape<T>::fields; };

template <class T, class Visit>
void for_each_field(Visit visit) {
  std::apply([&](const auto&... f) { (visit(f), ...); }, shape<T>::fields);
}

#define THROUGHLINE_SHAPE(type, ...)                             \
  template <>                                                    \
  struct shape<type> {                                           \
    using self = type;                                           \
    static constexpr const char* name = #type;                   \
    static constexpr auto fields = std::make_tuple(__VA_ARGS__); \
  }
#define THROUGHLINE_FIELD(member) \
  field {                         \
    #member, &self::member        \
  }
#define THROUGHLINE_RARE_FIELD(member) \
  rare_field {                         \
    #member, &self::member             \
  }
#define THROUGHLINE_FIELD_AS(wire_name, member) \
  field {                                       \
    wire_name, &self::member                    \
  }

using throughline::caller;

THROUGHLINE_SHAPE(caller, THROUGHLINE_FIELD(user), THROUGHLINE_FIELD(id), THROUGHLINE_FIELD(fingerprint));
THROUGHLINE_SHAPE(create_session, THROUGHLINE_FIELD(by), THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(name),
                  THROUGHLINE_FIELD(agent_name), THROUGHLINE_FIELD(metadata));
THROUGHLINE_SHAPE(rename_session, THROUGHLINE_FIELD(by), THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(name));
THROUGHLINE_SHAPE(delete_session, THROUGHLINE_FIELD(by), THROUGHLINE_FIELD(session));
THROUGHLINE_SHAPE(post_prompt, THROUGHLINE_FIELD(by), THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(content),
                  THROUGHLINE_FIELD(interrupt));
THROUGHLINE_SHAPE(cancel_turn, THROUGHLINE_FIELD(by), THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(interaction));
THROUGHLINE_SHAPE(put_grant, THROUGHLINE_FIELD(by), THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(grantee),
                  THROUGHLINE_FIELD_AS("role", what));
THROUGHLINE_SHAPE(delete_grant, THROUGHLINE_FIELD(by), THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(grantee));
THROUGHLINE_SHAPE(mint_agent_token, THROUGHLINE_FIELD(by), THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(token_hash),
                  THROUGHLINE_FIELD_AS("ttl_ms", ttl));
THROUGHLINE_SHAPE(revoke_agent_tokens, THROUGHLINE_FIELD(by), THROUGHLINE_FIELD(session));

THROUGHLINE_SHAPE(attach, THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(attachment), THROUGHLINE_FIELD(bridge),
                  THROUGHLINE_FIELD(token_hash), THROUGHLINE_FIELD(instance));
THROUGHLINE_SHAPE(detach, THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(attachment), THROUGHLINE_FIELD(last_number));
THROUGHLINE_SHAPE(seal, THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(attachment), THROUGHLINE_FIELD(last_number));
THROUGHLINE_SHAPE(renewal, THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(attachment));
THROUGHLINE_SHAPE(renew, THROUGHLINE_FIELD(attachments));
THROUGHLINE_SHAPE(numbered_frame, THROUGHLINE_FIELD(number), THROUGHLINE_FIELD(event),
                  THROUGHLINE_RARE_FIELD(agent_seq));
THROUGHLINE_SHAPE(hand_over, THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(attachment), THROUGHLINE_FIELD(bridge),
                  THROUGHLINE_FIELD(acknowledged), THROUGHLINE_FIELD(attempt), THROUGHLINE_FIELD(frames));
THROUGHLINE_SHAPE(command_outcome, THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(attachment),
                  THROUGHLINE_FIELD(command), THROUGHLINE_FIELD(written));

THROUGHLINE_SHAPE(read_session, THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(skip_interactions));
THROUGHLINE_SHAPE(read_snapshot, THROUGHLINE_FIELD(session));
THROUGHLINE_SHAPE(read_events, THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(since), THROUGHLINE_FIELD(limit),
                  THROUGHLINE_FIELD(bytes_max));
THROUGHLINE_SHAPE(read_interactions, THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(page), THROUGHLINE_FIELD(per_page),
                  THROUGHLINE_FIELD(newest_first));
THROUGHLINE_SHAPE(read_interaction, THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(interaction));
THROUGHLINE_SHAPE(read_activity, THROUGHLINE_FIELD(session));
THROUGHLINE_SHAPE(list_sessions, THROUGHLINE_FIELD(user), THROUGHLINE_FIELD(page), THROUGHLINE_FIELD(per_page));
THROUGHLINE_SHAPE(list_agents, THROUGHLINE_FIELD(user));
THROUGHLINE_SHAPE(read_heads, THROUGHLINE_FIELD(sessions));
THROUGHLINE_SHAPE(find_agent_token, THROUGHLINE_FIELD(token_hash));
THROUGHLINE_SHAPE(find_key, THROUGHLINE_FIELD(key_hash));

THROUGHLINE_SHAPE(deferred, THROUGHLINE_FIELD(why), THROUGHLINE_FIELD(after_ms));
THROUGHLINE_SHAPE(answer, THROUGHLINE_FIELD(status));
THROUGHLINE_SHAPE(attached, THROUGHLINE_FIELD(root), THROUGHLINE_FIELD(number), THROUGHLINE_RARE_FIELD(agent_seq));
THROUGHLINE_SHAPE(attach_refused, THROUGHLINE_FIELD(status), THROUGHLINE_FIELD(code), THROUGHLINE_FIELD(retry_after_s));
THROUGHLINE_SHAPE(hand_over_result, THROUGHLINE_FIELD(status), THROUGHLINE_FIELD(number), THROUGHLINE_FIELD(code));
THROUGHLINE_SHAPE(noted, THROUGHLINE_FIELD(known), THROUGHLINE_FIELD(superseded));
THROUGHLINE_SHAPE(not_renewed, THROUGHLINE_FIELD(attachment), THROUGHLINE_FIELD(why));
THROUGHLINE_SHAPE(renewed, THROUGHLINE_FIELD(except));

THROUGHLINE_SHAPE(grant, THROUGHLINE_FIELD(user), THROUGHLINE_FIELD_AS("role", what));
THROUGHLINE_SHAPE(access_list, THROUGHLINE_FIELD(owner), THROUGHLINE_FIELD(grants), THROUGHLINE_FIELD(version));
THROUGHLINE_SHAPE(turn_place, THROUGHLINE_FIELD(began), THROUGHLINE_FIELD(ended), THROUGHLINE_FIELD(queued));
THROUGHLINE_SHAPE(session_reading, THROUGHLINE_FIELD(found), THROUGHLINE_FIELD(head), THROUGHLINE_FIELD(access),
                  THROUGHLINE_FIELD(known_position), THROUGHLINE_FIELD(complete), THROUGHLINE_FIELD(inner_found),
                  THROUGHLINE_FIELD(inner));
THROUGHLINE_SHAPE(head_reading, THROUGHLINE_FIELD(session), THROUGHLINE_FIELD(found), THROUGHLINE_FIELD(head),
                  THROUGHLINE_FIELD(access), THROUGHLINE_FIELD(root));
THROUGHLINE_SHAPE(activity_reading, THROUGHLINE_FIELD(found), THROUGHLINE_FIELD(attached),
                  THROUGHLINE_FIELD_AS("age_ms", age));
THROUGHLINE_SHAPE(list_reading, THROUGHLINE_RARE_FIELD(complete));
THROUGHLINE_SHAPE(owner_reading, THROUGHLINE_FIELD(found), THROUGHLINE_FIELD(owner));

THROUGHLINE_SHAPE(write_command, THROUGHLINE_FIELD(attachment), THROUGHLINE_FIELD(command), THROUGHLINE_FIELD(body));
THROUGHLINE_SHAPE(supersede, THROUGHLINE_FIELD(attachment));
THROUGHLINE_SHAPE(close_attachment, THROUGHLINE_FIELD(attachment), THROUGHLINE_FIELD(code), THROUGHLINE_FIELD(reason));

THROUGHLINE_SHAPE(text_delta::base_name, THROUGHLINE_FIELD(length), THROUGHLINE_FIELD(hash));
THROUGHLINE_SHAPE(text_delta, THROUGHLINE_FIELD(base), THROUGHLINE_FIELD(keep), THROUGHLINE_FIELD(text));
THROUGHLINE_SHAPE(token_usage, THROUGHLINE_FIELD(total_tokens), THROUGHLINE_FIELD(input_tokens),
                  THROUGHLINE_FIELD(output_tokens), THROUGHLINE_FIELD(thought_tokens),
                  THROUGHLINE_FIELD(cached_read_tokens), THROUGHLINE_FIELD(cached_write_tokens));

}  // namespace throughline::codec::wire
