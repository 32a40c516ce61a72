#pragma once
// What is known of API keys here: whose they are, for a few seconds, which were revoked a moment ago, and which are
// nobody's.

#include <cstddef>
#include <string>
#include <unordered_map>

#include "common/base/id.hpp"
#include "common/base/instant.hpp"

namespace throughline::gateway {

class key_cache {
 public:
  /// Design 5.2: a revocation that was not heard of is noticed after this.
  static constexpr millis known_for{5'000};
  /// Above the patience of a read: an answer that left before the revocation comes too late to matter.
  static constexpr millis revoked_for{30'000};
  /// Nobody can have asked for a key before it was made: only one made elsewhere under a guessed text waits for this.
  static constexpr millis unknown_for{1'000};
  /// Of either kind: a flood of texts that are no keys pushes out no key.
  static constexpr std::size_t entries_max = 10'000;

  /// Null when unknown, or no longer.
  const user_id* owner_of(const std::string& key_hash, millis now) const;
  bool was_revoked(const std::string& key_hash, millis now) const;
  /// `asked`: when the question left that `owner` answers. Nothing where the key was revoked meanwhile.
  void keep(const std::string& key_hash, user_id owner, millis asked);
  void revoke(const std::string& key_hash, millis now);
  /// `asked`: when the question left to which there was no owner.
  void keep_unknown(const std::string& key_hash, millis asked);
  /// True iff there was no such key a moment ago.
  bool is_unknown(const std::string& key_hash, millis now) const;

 private:
  struct entry {
    user_id owner;  ///< empty: revoked
    millis until{0};
  };
  void put(const std::string& key_hash, entry what, millis now);

  std::unordered_map<std::string, entry> entries_;
  std::unordered_map<std::string, millis> unknown_;  ///< until when
};

}  // namespace throughline::gateway
