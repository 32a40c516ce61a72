#pragma once
// ULIDs (128 bits: 48 of milliseconds, 80 of chance), lower-case Crockford base32, 26 characters.
// The shard of a session is the last 8 bits of its ULID; a child session takes its root's last two characters
// (design 3.5).

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/id.hpp"

namespace throughline {

inline constexpr unsigned shard_count = 256;
using shard_number = std::uint8_t;

/// Source of ids and other chance for pure code: seeded in tests, from the system's entropy in a service.
class id_source {
 public:
  explicit id_source(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();  ///< splitmix64

 private:
  std::uint64_t state_;
};

/// `prefix` + ULID, e.g. make_id("int_", ms, ids).
std::string make_id(std::string_view prefix, std::uint64_t unix_ms, id_source& ids);

/// `prefix` + ULID whose last two characters are `tail` (two base32 characters), so that it falls into a given shard.
std::string make_id_with_tail(std::string_view prefix, std::uint64_t unix_ms, id_source& ids, std::string_view tail);

/// The two base32 characters that stand for `hash`'s low 10 bits.
std::string tail_of_hash(std::uint64_t hash);

/// True iff `text` is `ses_` + 26 lower-case Crockford characters, the first at most '7'.
bool is_session_id(std::string_view text);

/// The shard of a well-formed session id; empty for anything else.
std::optional<shard_number> shard_of(const session_id& id);

/// 64 bits from the system's entropy.
std::uint64_t system_entropy();

}  // namespace throughline
