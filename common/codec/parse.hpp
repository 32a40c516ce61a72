#pragma once
// Reads back what render.hpp wrote and a database or a NATS message brought: state-sync's load, and the gateway where
// it must look into a body. Error `bad_stored` names what is wrong.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/codec/event_headers.hpp"
#include "common/model/entry.hpp"
#include "common/model/interaction.hpp"
#include "common/model/session.hpp"

namespace throughline::codec {

/// The patches of a stored interaction_patch event.
result<patch_set> parse_patch_event(std::string_view body);
/// The interaction in a stored interaction_update event.
result<interaction> parse_interaction_event(std::string_view body);
/// An interaction from its rendered JSON: all fields, entries (visible ones) and usage too.
result<interaction> parse_interaction(std::string_view json);

/// What the headers of this event body would be: for lines of a range, which come without headers.
result<event_headers> headers_of_body(std::string_view body);

result<std::vector<entry>> parse_entries(std::string_view json);
result<token_usage> parse_usage(std::string_view json);

struct access_notice {
  std::uint64_t epoch = 0;
  access_list access;
};
result<access_notice> parse_access(std::string_view json);

std::optional<agent_status> parse_agent_status(std::string_view name);
std::optional<turn_state> parse_turn_state(std::string_view name);
std::optional<role> parse_role(std::string_view name);
std::optional<entry_type> parse_entry_type(std::string_view name);
std::optional<event_kind> parse_event_kind(std::string_view name);

}  // namespace throughline::codec
