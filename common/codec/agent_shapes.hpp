#pragma once
// Internal to the codec: the shapes of agent events and commands inside messages between services (see shapes.hpp).

#include "common/codec/shapes.hpp"

namespace throughline::codec::wire {

using agent::agent_ready;
using agent::cancel_current_turn;
using agent::chat_message;
using agent::chat_response_error;
using agent::message_added;
using agent::message_completed;
using agent::open_thread;
using agent::ping;
using agent::thread_created;
using agent::thread_load_error;
using agent::thread_title_changed;
using agent::turn_cancelled;
using agent::user_created_thread;

THROUGHLINE_SHAPE(ping);
THROUGHLINE_SHAPE(agent_ready, THROUGHLINE_FIELD(agent_name), THROUGHLINE_FIELD(thread));
THROUGHLINE_SHAPE(thread_created, THROUGHLINE_FIELD(thread), THROUGHLINE_FIELD(request), THROUGHLINE_FIELD(title));
THROUGHLINE_SHAPE(user_created_thread, THROUGHLINE_FIELD(thread), THROUGHLINE_FIELD(title));
THROUGHLINE_SHAPE(thread_title_changed, THROUGHLINE_FIELD(thread), THROUGHLINE_FIELD(title));
THROUGHLINE_SHAPE(message_added, THROUGHLINE_FIELD(thread), THROUGHLINE_FIELD(message), THROUGHLINE_FIELD(role),
                  THROUGHLINE_FIELD(type), THROUGHLINE_FIELD(content), THROUGHLINE_FIELD(request),
                  THROUGHLINE_FIELD(tool_name), THROUGHLINE_FIELD(tool_status));
THROUGHLINE_SHAPE(message_completed, THROUGHLINE_FIELD(thread), THROUGHLINE_FIELD(request),
                  THROUGHLINE_FIELD(agent_name), THROUGHLINE_FIELD(usage));
THROUGHLINE_SHAPE(thread_load_error, THROUGHLINE_FIELD(thread), THROUGHLINE_FIELD(request), THROUGHLINE_FIELD(error));
THROUGHLINE_SHAPE(chat_response_error, THROUGHLINE_FIELD(request), THROUGHLINE_FIELD(error));
THROUGHLINE_SHAPE(turn_cancelled, THROUGHLINE_FIELD(request), THROUGHLINE_FIELD(cancelled));

THROUGHLINE_SHAPE(chat_message, THROUGHLINE_FIELD(message), THROUGHLINE_FIELD(request), THROUGHLINE_FIELD(interaction),
                  THROUGHLINE_FIELD(thread), THROUGHLINE_FIELD(agent_name), THROUGHLINE_FIELD(session),
                  THROUGHLINE_FIELD(interrupt), THROUGHLINE_RARE_FIELD(redelivered));
THROUGHLINE_SHAPE(open_thread, THROUGHLINE_FIELD(thread), THROUGHLINE_FIELD(request), THROUGHLINE_FIELD(agent_name),
                  THROUGHLINE_FIELD(session));
THROUGHLINE_SHAPE(cancel_current_turn, THROUGHLINE_FIELD(request), THROUGHLINE_FIELD(session));

}  // namespace throughline::codec::wire
