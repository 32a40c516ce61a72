#pragma once
// Values between C++ and SQL. `row_batch` gathers rows for `INSERT ... SELECT FROM unnest($1::text[], ...)`: one array
// per column. `row_reader` reads the columns of a result row in order. Instants are microseconds (the `_us` columns).

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pqxx/pqxx>

#include "common/base/id.hpp"
#include "common/base/instant.hpp"

namespace throughline::state_sync {

class row_batch {
 public:
  explicit row_batch(std::size_t columns) : arrays_(columns, "{") {}

  /// The next column of the current row; a row is over when it has all its columns.
  row_batch& add(std::string_view text);
  row_batch& add(const char* text) { return add(std::string_view(text)); }
  row_batch& add(bool value) { return raw(value ? "t" : "f"); }
  row_batch& add(std::uint64_t value) { return raw(std::to_string(value)); }
  row_batch& add(int value) { return raw(std::to_string(value)); }
  row_batch& add(instant at) { return raw(std::to_string(at.time_since_epoch().count())); }
  template <class Tag>
  row_batch& add(const strong_id<Tag>& id) {
    return add(std::string_view(id.text()));
  }
  template <class T>
  row_batch& add(const std::optional<T>& value) {
    return value ? add(*value) : raw("NULL");
  }

  std::size_t rows() const { return rows_; }
  bool empty() const { return rows_ == 0; }
  /// The array literals, one per column. To be called once.
  std::vector<std::string> take();

 private:
  row_batch& raw(std::string_view literal);
  void next();

  std::vector<std::string> arrays_;
  std::size_t column_ = 0;
  std::size_t rows_ = 0;
};

/// An array literal of texts, for `= ANY($1)`.
std::string text_array(const std::vector<std::string>& values);
template <class Range>
std::string id_array(const Range& ids) {
  std::vector<std::string> texts;
  for (const auto& id : ids) texts.push_back(id.text());
  return text_array(texts);
}

class row_reader {
 public:
  explicit row_reader(pqxx::row row) : row_(std::move(row)) {}  // by value: `rows[0]` is a temporary

  std::string text() { return field().c_str(); }
  std::uint64_t number() { return field().as<std::uint64_t>(); }
  bool flag() { return field().as<bool>(); }
  instant time() { return instant(micros(field().as<std::int64_t>())); }
  template <class Id>
  Id id() {
    return Id(text());
  }
  std::optional<std::string> maybe_text();
  std::optional<instant> maybe_time();
  std::optional<std::uint64_t> maybe_number();
  template <class Id>
  std::optional<Id> maybe_id() {
    auto value = maybe_text();
    if (!value) return std::nullopt;
    return Id(std::move(*value));
  }

 private:
  pqxx::field field() { return row_[column_++]; }

  pqxx::row row_;
  pqxx::row::size_type column_ = 0;
};

/// What is stored is not what this program writes: a fault of the store, never of an input.
struct bad_stored : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The stored name of each value of an enum, in the enum's order.
template <class Enum, std::size_t N>
struct enum_names {
  std::array<std::string_view, N> names;

  constexpr std::string_view operator()(Enum e) const { return names[static_cast<std::size_t>(e)]; }
  Enum parse(std::string_view name) const {
    for (std::size_t i = 0; i < N; ++i) {
      if (names[i] == name) return static_cast<Enum>(i);
    }
    throw bad_stored("unknown name: " + std::string(name));
  }
};

}  // namespace throughline::state_sync
