#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>

#include "common/ops/settings.hpp"

namespace throughline::ops {
namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

/// A decimal integer followed by one of `units`; `most` bounds the product.
std::optional<std::uint64_t> with_unit(std::string_view text, std::initializer_list<unit> units, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc{}) return std::nullopt;
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const auto& [name, factor] : units) {
    if (rest == name) return number <= most / factor ? std::optional(number * factor) : std::nullopt;
  }
  return std::nullopt;
}

[[noreturn]] void no_such_setting(std::string_view name) {
  throw std::logic_error("no setting of that kind is declared: " + std::string(name));
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 1'000'000);
  const auto ms = with_unit(text, {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}}, most);
  if (!ms) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(*ms));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return with_unit(text, {{"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}}, most);
}

std::optional<listen_address> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  const auto digits = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // an IPv6 address needs its brackets
  }
  std::uint16_t port = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (host.empty() || digits.empty() || fault != std::errc{} || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return listen_address{std::string(host), port};
}

template <class T>
const T& settings::get(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end() || !std::holds_alternative<T>(found->second)) no_such_setting(name);
  return std::get<T>(found->second);
}

const std::string& settings::text(std::string_view name) const {
  return get<std::string>(name);
}
std::chrono::milliseconds settings::duration(std::string_view name) const {
  return get<std::chrono::milliseconds>(name);
}
std::uint64_t settings::size(std::string_view name) const {
  return get<std::uint64_t>(name);
}
const listen_address& settings::address(std::string_view name) const {
  return get<listen_address>(name);
}
const std::vector<std::string>& settings::list(std::string_view name) const {
  return get<std::vector<std::string>>(name);
}
bool settings::flag(std::string_view name) const {
  return get<bool>(name);
}

}  // namespace throughline::ops
