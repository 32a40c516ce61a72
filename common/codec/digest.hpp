#pragma once
// Hashes and secrets, from libcrypto.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/id.hpp"
#include "common/model/entry.hpp"

namespace throughline::codec {

std::string sha256_hex(std::string_view bytes);
std::string base64url(std::string_view bytes);  ///< without padding

/// `entries_sha256` of design 5.3: for each entry type, message id, tool name, tool status, content, each as decimal
/// byte length, `:`, bytes.
std::string entries_sha256(const std::vector<entry>& entries);

/// The two last characters of the id of a session that `user` creates under the idempotency id `id`: repeats meet one
/// owner (design 5.3).
std::string creation_tail(const user_id& user, std::string_view id);

/// `prefix` + 32 bytes from the system's CSPRNG in base64url: agent tokens (`ha-`), API keys (`hl-`).
std::string make_secret(std::string_view prefix);

}  // namespace throughline::codec
