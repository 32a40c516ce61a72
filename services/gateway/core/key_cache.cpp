#include "services/gateway/core/key_cache.hpp"

#include <utility>

namespace throughline::gateway {

const user_id* key_cache::owner_of(const std::string& key_hash, millis now) const {
  const auto at = entries_.find(key_hash);
  if (at == entries_.end() || at->second.owner.empty() || at->second.until <= now) return nullptr;
  return &at->second.owner;
}

bool key_cache::was_revoked(const std::string& key_hash, millis now) const {
  const auto at = entries_.find(key_hash);
  return at != entries_.end() && at->second.owner.empty() && at->second.until > now;
}

void key_cache::keep(const std::string& key_hash, user_id owner, millis asked) {
  if (was_revoked(key_hash, asked)) return;
  unknown_.erase(key_hash);
  put(key_hash, {std::move(owner), asked + known_for}, asked);
}

void key_cache::revoke(const std::string& key_hash, millis now) {
  put(key_hash, {{}, now + revoked_for}, now);
}

void key_cache::keep_unknown(const std::string& key_hash, millis asked) {
  if (unknown_.size() >= entries_max) std::erase_if(unknown_, [&](const auto& one) { return one.second <= asked; });
  if (unknown_.size() >= entries_max) unknown_.clear();
  unknown_.insert_or_assign(key_hash, asked + unknown_for);
}

bool key_cache::is_unknown(const std::string& key_hash, millis now) const {
  const auto at = unknown_.find(key_hash);
  return at != unknown_.end() && at->second > now;
}

void key_cache::put(const std::string& key_hash, entry what, millis now) {
  if (entries_.size() >= entries_max) std::erase_if(entries_, [&](const auto& one) { return one.second.until <= now; });
  if (entries_.size() >= entries_max) entries_.clear();
  entries_.insert_or_assign(key_hash, std::move(what));
}

}  // namespace throughline::gateway
