#pragma once
// Text deltas: what changed between the content forwarded last and the content now (design 3.9). Pure.
// The hash only tells versions of one agent's text apart; it is no defence against forgery.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/model/agent_event.hpp"

namespace throughline::delta {

/// FNV-1a, 64 bits. `extend(hash_of(a), b) == hash_of(a + b)`, so an append costs what it adds.
std::uint64_t hash_of(std::string_view text);
std::uint64_t extend(std::uint64_t hash, std::string_view more);

/// The whole content, without a base: always applicable.
text_delta whole(std::string content);

/// From `base` (whose hash the caller keeps) to `now`. Never splits a code point. An append is found by one comparison
/// of memory. Where nothing is kept the result is `whole(now)`: no base to miss.
text_delta delta_between(std::string_view base, std::uint64_t base_hash, std::string_view now);

/// The hash of `now`, which `d` leads to from a base of `base_length` bytes and `base_hash`; cheap for an append.
std::uint64_t hash_after(std::size_t base_length, std::uint64_t base_hash, const text_delta& d, std::string_view now);

/// Adds only: nothing of a base of `base_length` bytes is dropped. A whole content is one onto an empty base only.
bool is_append(std::size_t base_length, const text_delta& d);

/// Errors: `need_full` (the base named is not the one here), `bad_delta` (it keeps more than there is, or cuts inside a
/// code point).
result<std::string> apply(std::string_view base, std::uint64_t base_hash, const text_delta& d);

/// The same in place: `content` and its `hash` become the new ones; on an error both are untouched.
result<void> apply_to(std::string& content, std::uint64_t& hash, const text_delta& d);

}  // namespace throughline::delta
