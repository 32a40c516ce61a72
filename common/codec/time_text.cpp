#include "common/codec/time_text.hpp"

#include <cstdint>

namespace throughline::codec {
namespace {

void append_digits(std::string& out, std::uint64_t value, int width) {
  char digits[20];
  for (int i = width - 1; i >= 0; --i) {
    digits[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out.append(digits, static_cast<std::size_t>(width));
}

/// Reads `width` digits at the front of `text` and takes them off.
bool take_number(std::string_view& text, std::size_t width, int& out) {
  if (text.size() < width) return false;
  out = 0;
  for (std::size_t i = 0; i < width; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    out = out * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

/// `.123` -> 123000; nothing there: 0.
bool take_fraction(std::string_view& text, std::int64_t& micro) {
  micro = 0;
  if (!take(text, '.')) return true;
  int digits = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; ++digits, text.remove_prefix(1)) {
    if (digits < 6) micro = micro * 10 + (text.front() - '0');
  }
  for (int i = digits; i < 6; ++i) micro *= 10;
  return digits >= 1 && digits <= 9;
}

}  // namespace

void append_time(std::string& out, instant at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss<micros> time(at - day);
  append_digits(out, static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
  out += '-';
  append_digits(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_digits(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append_digits(out, static_cast<std::uint64_t>(time.hours().count()), 2);
  out += ':';
  append_digits(out, static_cast<std::uint64_t>(time.minutes().count()), 2);
  out += ':';
  append_digits(out, static_cast<std::uint64_t>(time.seconds().count()), 2);
  out += '.';
  append_digits(out, static_cast<std::uint64_t>(time.subseconds().count()), 6);
  out += 'Z';
}

std::string time_text(instant at) {
  std::string out;
  append_time(out, at);
  return out;
}

std::optional<instant> parse_time(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  std::int64_t micro = 0;
  const bool well_formed = take_number(text, 4, year) && take(text, '-') && take_number(text, 2, month) &&
                           take(text, '-') && take_number(text, 2, day) && take(text, 'T') &&
                           take_number(text, 2, hour) && take(text, ':') && take_number(text, 2, minute) &&
                           take(text, ':') && take_number(text, 2, second) && take_fraction(text, micro) &&
                           take(text, 'Z') && text.empty();
  if (!well_formed || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return instant(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + micros(micro);
}

}  // namespace throughline::codec
