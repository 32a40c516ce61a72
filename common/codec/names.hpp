#pragma once
// Internal to the codec: the wire's name of each enumerator, in the enum's order.

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "common/model/bridge_order.hpp"
#include "common/model/event.hpp"
#include "common/model/reply.hpp"

namespace throughline::codec {

template <class Enum>
struct names_of;

template <>
struct names_of<agent_status> {
  static constexpr std::array<std::string_view, 3> names = {"offline", "online", "ready"};
};
template <>
struct names_of<turn_state> {
  static constexpr std::array<std::string_view, 4> names = {"waiting", "complete", "error", "interrupted"};
};
template <>
struct names_of<role> {
  static constexpr std::array<std::string_view, 2> names = {"viewer", "editor"};
};
template <>
struct names_of<entry_type> {
  static constexpr std::array<std::string_view, 2> names = {"text", "tool_call"};
};
template <>
struct names_of<event_kind> {
  static constexpr std::array<std::string_view, 3> names = {"session_update", "interaction_update",
                                                            "interaction_patch"};
};
template <>
struct names_of<agent::author> {
  static constexpr std::array<std::string_view, 2> names = {"user", "assistant"};
};
template <>
struct names_of<deferral> {
  static constexpr std::array<std::string_view, 2> names = {"busy", "not_owner"};
};
template <>
struct names_of<hand_over_status> {
  static constexpr std::array<std::string_view, 6> names = {"applied",    "expected", "need_full",
                                                            "superseded", "unknown",  "refused"};
};
template <>
struct names_of<renewal_fault> {
  static constexpr std::array<std::string_view, 3> names = {"unknown", "superseded", "deferred"};
};
template <>
struct names_of<order_outcome> {
  static constexpr std::array<std::string_view, 3> names = {"written", "not_written", "unknown"};
};

template <class Enum>
constexpr std::string_view enum_name(Enum value) {
  return names_of<Enum>::names[static_cast<std::size_t>(value)];
}

template <class Enum>
constexpr std::optional<Enum> enum_named(std::string_view name) {
  for (std::size_t i = 0; i < names_of<Enum>::names.size(); ++i) {
    if (names_of<Enum>::names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace throughline::codec
