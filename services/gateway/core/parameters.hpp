#pragma once
// Query parameters and request headers of design 5.3, checked. Errors: `bad_request`.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/id.hpp"
#include "common/base/position.hpp"
#include "common/base/result.hpp"

namespace throughline::gateway {

using parameter = std::optional<std::string_view>;

struct page_request {
  std::uint64_t page = 0;
  std::uint64_t per_page = 0;
};
inline constexpr std::uint64_t page_max = 1'000'000'000;
inline constexpr std::uint64_t events_default = 1'000;
inline constexpr std::uint64_t events_max = 10'000;

/// What a list gives on one page.
struct page_sizes {
  std::uint64_t usual = 0;
  std::uint64_t most = 0;
};
/// `per_page` above the most is the most; 0 or no number is an error.
result<page_request> parse_page(parameter page, parameter per_page, page_sizes sizes);
/// Of a page that weighs too much to be answered: what it holds is there in smaller pages.
inline error page_too_large() {
  return {"too_large", "this page holds more than 64 MiB: ask with a smaller per_page"};
}
/// `asc` (the default) or `desc`: true iff the newest come first.
result<bool> parse_newest_first(parameter order);
/// A flag: absent, `0` and `false` are false; present, `1` and `true` are true.
result<bool> parse_flag(parameter flag);
result<std::optional<position>> parse_since(parameter since);
/// 1 to `events_max`; above it, `events_max`.
result<std::uint64_t> parse_limit(parameter limit);

/// The ETag of a session at `head`: `"epoch:seq"`, `-s` inside when read without interactions.
std::string session_etag(position head, bool without_interactions);
/// True iff the If-None-Match header names `etag` (weakly compared) or is `*`.
bool matches_etag(std::string_view if_none_match, std::string_view etag);

/// `int_` + 26 lower-case Crockford characters.
bool is_interaction_id(std::string_view text);
/// A user id as a path names it: 1 to 256 bytes, no control characters.
bool is_user_id(std::string_view text);

}  // namespace throughline::gateway
