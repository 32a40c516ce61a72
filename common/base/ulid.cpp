#include "common/base/ulid.hpp"

#include <random>

namespace throughline {
namespace {

constexpr std::string_view alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

int value_of(char c) {
  const auto at = alphabet.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

std::uint64_t id_source::next() {
  state_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

std::string make_id(std::string_view prefix, std::uint64_t unix_ms, id_source& ids) {
  std::string out(prefix);
  out.reserve(prefix.size() + 26);
  for (int shift = 45; shift >= 0; shift -= 5) out += alphabet[(unix_ms >> shift) & 31];
  std::uint64_t bits = 0;
  int held = 0;
  for (int i = 0; i < 16; ++i) {
    if (held < 5) {
      bits = ids.next();
      held = 60;
    }
    out += alphabet[bits & 31];
    bits >>= 5;
    held -= 5;
  }
  return out;
}

std::string make_id_with_tail(std::string_view prefix, std::uint64_t unix_ms, id_source& ids, std::string_view tail) {
  auto out = make_id(prefix, unix_ms, ids);
  out.replace(out.size() - 2, 2, tail);
  return out;
}

std::string tail_of_hash(std::uint64_t hash) {
  return {alphabet[(hash >> 5) & 31], alphabet[hash & 31]};
}

bool is_session_id(std::string_view text) {
  if (text.size() != 30 || !text.starts_with("ses_") || text[4] > '7') return false;
  for (const char c : text.substr(4)) {
    if (value_of(c) < 0) return false;
  }
  return true;
}

std::optional<shard_number> shard_of(const session_id& id) {
  if (!is_session_id(id.text())) return std::nullopt;
  const auto& text = id.text();
  const int bits = value_of(text[text.size() - 2]) * 32 + value_of(text.back());
  return static_cast<shard_number>(bits & 0xff);
}

std::uint64_t system_entropy() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace throughline
