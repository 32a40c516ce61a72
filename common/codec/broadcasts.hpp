#pragma once
// The bodies of the two broadcasts: tl1.epoch, a decimal number, and tl1.auth, the hash of a revoked API key. Plain
// text; error `bad_message` says what is wrong.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace throughline::codec {

std::string encode_epoch(std::uint64_t epoch);
/// At least 1, without leading zeros.
result<std::uint64_t> decode_epoch(std::string_view body);

/// The hash as `sha256_hex` writes it; it goes out as it is.
result<std::string> decode_revoked_key(std::string_view body);

}  // namespace throughline::codec
