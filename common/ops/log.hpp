#pragma once
// One line per event on standard error: an event name plus ids and numbers; never content, never tokens. Callable from
// any thread; never blocks on a slow reader: a bounded queue, of which the oldest lines are lost first (G8).

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace throughline::ops::log {

enum class level : std::uint8_t { debug, info, warn, error };
enum class format : std::uint8_t { json, text };

/// A value of a field. Borrows its text for the length of the call.
class value {
 public:
  value(std::string_view text) : of_(text) {}
  value(const char* text) : of_(std::string_view(text)) {}
  value(const std::string& text) : of_(std::string_view(text)) {}
  value(bool truth) : of_(truth) {}
  value(double number) : of_(number) {}
  template <std::signed_integral T>
  value(T number) : of_(static_cast<std::int64_t>(number)) {}
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  value(T number) : of_(static_cast<std::uint64_t>(number)) {}
  template <class Id>
    requires requires(const Id& id) {
      { id.text() } -> std::convertible_to<std::string_view>;
    }
  value(const Id& id) : of_(std::string_view(id.text())) {}

  const auto& get() const { return of_; }

 private:
  std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool> of_;
};

struct field {
  std::string_view key;
  value what;
};
using fields = std::initializer_list<field>;

/// Called once by `main`; before that, lines go out as json from level info. Flushes when the program exits.
void configure(std::string_view service, level lowest, format how);
/// The settings log-level and log-format, as declared by setting_table::common.
level level_of(std::string_view name);
format format_of(std::string_view name);
/// Writes out what is queued and stops the writer; later lines go out directly.
void stop();

/// The line without its newline, e.g. {"time":"...","level":"info","service":"gateway","event":"ready","n":3}.
std::string render(std::string_view service, level how_bad, format how, std::string_view event, fields with);

void write(level how_bad, std::string_view event, fields with);
inline void debug(std::string_view event, fields with = {}) {
  write(level::debug, event, with);
}
inline void info(std::string_view event, fields with = {}) {
  write(level::info, event, with);
}
inline void warn(std::string_view event, fields with = {}) {
  write(level::warn, event, with);
}
inline void error(std::string_view event, fields with = {}) {
  write(level::error, event, with);
}

}  // namespace throughline::ops::log
