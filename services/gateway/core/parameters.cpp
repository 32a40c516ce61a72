#include "services/gateway/core/parameters.hpp"

#include <algorithm>
#include <charconv>

#include "common/base/ulid.hpp"
#include "common/base/utf.hpp"

namespace throughline::gateway {

namespace {

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

result<page_request> parse_page(parameter page, parameter per_page, page_sizes sizes) {
  page_request out{0, sizes.usual};
  if (page) {
    const auto n = number(*page);
    if (!n || *n > page_max) return fail("bad_request", "page is not a number from 0 on");
    out.page = *n;
  }
  if (per_page) {
    const auto n = number(*per_page);
    if (!n || *n == 0) return fail("bad_request", "per_page is not a number from 1 on");
    out.per_page = std::min(*n, sizes.most);
  }
  return out;
}

result<bool> parse_newest_first(parameter order) {
  if (!order || *order == "asc") return false;
  if (*order == "desc") return true;
  return fail("bad_request", "order is neither asc nor desc");
}

result<bool> parse_flag(parameter flag) {
  if (!flag || *flag == "0" || *flag == "false") return false;
  if (flag->empty() || *flag == "1" || *flag == "true") return true;
  return fail("bad_request", "a flag is neither 0 nor 1");
}

result<std::optional<position>> parse_since(parameter since) {
  if (!since) return std::nullopt;
  const auto at = parse_position(*since);
  if (!at) return fail("bad_request", "since is not of the form epoch:seq");
  return at;
}

result<std::uint64_t> parse_limit(parameter limit) {
  if (!limit) return events_default;
  const auto n = number(*limit);
  if (!n || *n == 0) return fail("bad_request", "limit is not a number from 1 on");
  return std::min(*n, events_max);
}

std::string session_etag(position head, bool without_interactions) {
  return '"' + to_text(head) + (without_interactions ? "-s\"" : "\"");
}

bool matches_etag(std::string_view if_none_match, std::string_view etag) {
  while (!if_none_match.empty()) {
    const auto end = if_none_match.find(',');
    auto one = trim(if_none_match.substr(0, end));
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == "*" || one == etag) return true;
    if (end == std::string_view::npos) break;
    if_none_match.remove_prefix(end + 1);
  }
  return false;
}

bool is_interaction_id(std::string_view text) {
  return text.starts_with("int_") && is_session_id("ses_" + std::string(text.substr(4)));
}

bool is_user_id(std::string_view text) {
  return !text.empty() && text.size() <= outside_id_bytes_max && is_utf8(text) &&
         std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace throughline::gateway
