#pragma once
// Internal to the codec: reads any value that has a shape, from a sender that may be wrong. The first fault is kept,
// with the name of the field it was met in.

#include <concepts>
#include <limits>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/instant.hpp"
#include "common/base/position.hpp"
#include "common/base/result.hpp"
#include "common/base/ulid.hpp"
#include "common/codec/json_read.hpp"
#include "common/codec/names.hpp"
#include "common/codec/requests.hpp"
#include "common/codec/shapes.hpp"

namespace throughline::codec::wire {

using simdjson::dom::element;

/// Most elements a list of this type may have.
template <class T>
inline constexpr std::size_t count_max = 65536;
template <>
inline constexpr std::size_t count_max<numbered_frame> = hand_over_frames_max;
template <>
inline constexpr std::size_t count_max<session_id> = head_check_sessions_max;
template <>
inline constexpr std::size_t count_max<renewal> = renew_attachments_max;
template <>
inline constexpr std::size_t count_max<not_renewed> = renew_attachments_max;

/// Longest that a sender may say it waits.
inline constexpr millis budget_max{3'600'000};

class reader {
 public:
  bool ok() const { return fault_.empty(); }
  std::unexpected<error> failure() const { return fail("bad_message", fault_); }
  void blame(const char* name, const char* why) {
    if (fault_.empty()) fault_ = std::string(name) + " " + why;
  }

  /// How long the sender of a request goes on waiting.
  void read_budget(element root, millis& out) {
    element budget;
    if (root.at_key("budget_ms").get(budget) != simdjson::SUCCESS) return blame("budget_ms", "is missing");
    read(budget, "budget_ms", out);
    if (out < millis(0) || out > budget_max) blame("budget_ms", "is out of range");
  }

  template <class T>
  void read(element e, const char* name, T& out) {
    if constexpr (std::same_as<T, bool>) {
      if (e.get_bool().get(out) != simdjson::SUCCESS) blame(name, "is not true or false");
    } else if constexpr (std::integral<T>) {
      read_number(e, name, out);
    } else if constexpr (std::same_as<T, millis>) {
      std::int64_t n = 0;
      read_number(e, name, n);
      out = millis(n);
    } else if constexpr (std::same_as<T, std::string>) {
      read_text(e, name, out);
    } else if constexpr (std::is_enum_v<T>) {
      read_enum(e, name, out);
    } else if constexpr (shaped<T>) {
      read_fields(e, name, out);
    } else {
      read_other(e, name, out);
    }
  }

  template <shaped T>
  void read_fields(element e, const char* name, T& out) {
    simdjson::dom::object object;
    if (e.get_object().get(object) != simdjson::SUCCESS) return blame(name, "is not an object");
    for_each_field<T>([&]<class Field>(const Field& f) {
      auto& member = out.*(f.member);
      element value;
      const bool there = object.at_key(f.name).get(value) == simdjson::SUCCESS;
      if constexpr (requires { member.has_value(); }) {
        if (!there) return;
        typename std::remove_cvref_t<decltype(member)>::value_type one{};
        read(value, f.name, one);
        member = std::move(one);
      } else if (there) {
        read(value, f.name, member);
      } else if constexpr (!is_rare<Field>) {
        blame(f.name, "is missing");
      }
    });
  }

  /// The alternative that `op` names.
  template <class... Ts>
  void read_op(element e, const char* name, std::variant<Ts...>& out) {
    std::string_view op;
    if (e.at_key("op").get_string().get(op) != simdjson::SUCCESS) return blame(name, "has no op");
    const bool known = (read_if<Ts>(e, op, out) || ...);
    if (!known) blame(name, "has an unknown op");
  }

 private:
  template <class T, class Variant>
  bool read_if(element e, std::string_view op, Variant& out) {
    if (!has_message<T> || op != shape<T>::name) return false;
    read_fields(e, shape<T>::name, out.template emplace<T>());
    return true;
  }

  template <class T>
  void read_number(element e, const char* name, T& out) {
    using wide = std::conditional_t<std::signed_integral<T>, std::int64_t, std::uint64_t>;
    wide n = 0;
    if (e.get<wide>().get(n) != simdjson::SUCCESS || !std::in_range<T>(n)) return blame(name, "is no number in range");
    out = static_cast<T>(n);
  }

  void read_text(element e, const char* name, std::string& out) {
    std::string_view text;
    if (e.get_string().get(text) != simdjson::SUCCESS) return blame(name, "is not a string");
    if (!simdjson::validate_utf8(text.data(), text.size())) return blame(name, "is not UTF-8");
    out.assign(text);
  }

  template <class T>
  void read_enum(element e, const char* name, T& out) {
    std::string_view text;
    const auto value = e.get_string().get(text) == simdjson::SUCCESS ? enum_named<T>(text) : std::nullopt;
    if (!value) return blame(name, "is none of its names");
    out = *value;
  }

  void read_other(element e, const char* name, position& out) {
    std::string text;
    read_text(e, name, text);
    if (text == "0:0") return;  // a session that was not found has no position
    const auto at = parse_position(text);
    if (!at) return blame(name, "is no position");
    out = *at;
  }

  template <class Tag>
  void read_other(element e, const char* name, strong_id<Tag>& out) {
    std::string text;
    read_text(e, name, text);
    if (text.size() > outside_id_bytes_max) return blame(name, "is too long");
    out = strong_id<Tag>(std::move(text));
  }

  template <class T>
  void read_other(element e, const char* name, std::vector<T>& out) {
    simdjson::dom::array list;
    if (e.get_array().get(list) != simdjson::SUCCESS) return blame(name, "is not a list");
    for (const auto one : list) {
      if (out.size() == count_max<T>) return blame(name, "is too long");
      read(one, name, out.emplace_back());
      if (!ok()) return;
    }
  }

  template <class... Ts>
  void read_other(element e, const char* name, std::variant<Ts...>& out) {
    read_op(e, name, out);
  }

  std::string fault_;
};

}  // namespace throughline::codec::wire
