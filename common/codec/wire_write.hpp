#pragma once
// Internal to the codec: writes any value that has a shape.

#include <concepts>
#include <type_traits>
#include <variant>

#include "common/base/instant.hpp"
#include "common/base/position.hpp"
#include "common/codec/json_write.hpp"
#include "common/codec/names.hpp"
#include "common/codec/shapes.hpp"

namespace throughline::codec::wire {

template <class T>
void write_value(json_writer& w, const T& v);

/// The fields of `v`, into an object that is open. Absent optional fields are left out, rare ones with their default.
template <shaped T>
void write_fields(json_writer& w, const T& v) {
  for_each_field<T>([&]<class Field>(const Field& f) {
    const auto& member = v.*(f.member);
    if constexpr (is_rare<Field>) {
      if (member == T{}.*(f.member)) return;
    }
    if constexpr (requires { member.has_value(); }) {
      if (!member) return;
      w.key(f.name);
      write_value(w, *member);
    } else {
      w.key(f.name);
      write_value(w, member);
    }
  });
}

/// {"op": name, fields...}
template <class... Ts>
void write_op(json_writer& w, const std::variant<Ts...>& v) {
  std::visit(
      [&]<class T>(const T& one) {
        w.text("op", shape<T>::name);
        write_fields(w, one);
      },
      v);
}

template <class... Ts>
void write_variant(json_writer& w, const std::variant<Ts...>& v) {
  w.begin_object();
  write_op(w, v);
  w.end_object();
}

template <class T>
void write_value(json_writer& w, const T& v) {
  if constexpr (std::same_as<T, bool>) {
    w.flag(v);
  } else if constexpr (std::unsigned_integral<T>) {
    w.number(v);
  } else if constexpr (std::signed_integral<T>) {
    w.number(v);
  } else if constexpr (std::same_as<T, std::string>) {
    w.text(v);
  } else if constexpr (std::same_as<T, position>) {
    w.text(to_text(v));
  } else if constexpr (std::same_as<T, millis>) {
    w.number(v.count());
  } else if constexpr (std::is_enum_v<T>) {
    w.text(enum_name(v));
  } else if constexpr (requires { v.text(); }) {
    w.text(v.text());
  } else if constexpr (shaped<T>) {
    w.begin_object();
    write_fields(w, v);
    w.end_object();
  } else if constexpr (requires { v.begin(); }) {
    w.begin_array();
    for (const auto& one : v) write_value(w, one);
    w.end_array();
  } else {
    write_variant(w, v);
  }
}

}  // namespace throughline::codec::wire
