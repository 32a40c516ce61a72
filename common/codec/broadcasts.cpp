#include "common/codec/broadcasts.hpp"

#include <algorithm>
#include <charconv>

namespace throughline::codec {
namespace {

constexpr std::size_t hash_digits = 64;

}  // namespace

std::string encode_epoch(std::uint64_t epoch) {
  return std::to_string(epoch);
}

result<std::uint64_t> decode_epoch(std::string_view body) {
  std::uint64_t epoch = 0;
  const auto* end = body.data() + body.size();
  const auto [last, fault] = std::from_chars(body.data(), end, epoch);
  if (body.starts_with('0') || fault != std::errc{} || last != end) {
    return fail("bad_message", "epoch is not a decimal number from 1");
  }
  return epoch;
}

result<std::string> decode_revoked_key(std::string_view body) {
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (body.size() != hash_digits || !std::ranges::all_of(body, hex)) {
    return fail("bad_message", "key hash is not 64 hexadecimal digits");
  }
  return std::string(body);
}

}  // namespace throughline::codec
