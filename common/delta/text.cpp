#include "common/delta/text.hpp"

#include <utility>

#include "common/base/utf.hpp"

namespace throughline::delta {
namespace {

constexpr std::uint64_t fnv_basis = 0xcbf29ce484222325ULL;
constexpr std::uint64_t fnv_prime = 0x100000001b3ULL;

result<void> check(std::string_view base, std::uint64_t base_hash, const text_delta& d) {
  if (!d.base) {
    if (d.keep != 0) return fail("bad_delta", "a delta without a base cannot keep anything");
    return {};
  }
  if (d.base->length != base.size() || d.base->hash != base_hash) {
    return fail("need_full", "the delta was made against another content");
  }
  if (d.keep > base.size()) return fail("bad_delta", "the delta keeps more than there is");
  if (code_point_floor(base, d.keep) != d.keep) return fail("bad_delta", "the delta cuts inside a code point");
  return {};
}

}  // namespace

std::uint64_t extend(std::uint64_t hash, std::string_view more) {
  for (const char c : more) hash = (hash ^ static_cast<unsigned char>(c)) * fnv_prime;
  return hash;
}

std::uint64_t hash_of(std::string_view text) {
  return extend(fnv_basis, text);
}

text_delta whole(std::string content) {
  return {.base = std::nullopt, .keep = 0, .text = std::move(content)};
}

text_delta delta_between(std::string_view base, std::uint64_t base_hash, std::string_view now) {
  const auto keep = now.starts_with(base) ? base.size() : common_prefix(base, now);
  if (keep == 0) return whole(std::string(now));
  return {.base = text_delta::base_name{base.size(), base_hash}, .keep = keep, .text = std::string(now.substr(keep))};
}

std::uint64_t hash_after(std::size_t base_length, std::uint64_t base_hash, const text_delta& d, std::string_view now) {
  return d.base && is_append(base_length, d) ? extend(base_hash, d.text) : hash_of(now);
}

bool is_append(std::size_t base_length, const text_delta& d) {
  return d.keep == base_length;
}

result<std::string> apply(std::string_view base, std::uint64_t base_hash, const text_delta& d) {
  if (auto ok = check(base, base_hash, d); !ok) return std::unexpected(std::move(ok.error()));
  std::string out;
  out.reserve(d.keep + d.text.size());
  out.append(base.substr(0, d.keep)).append(d.text);
  return out;
}

result<void> apply_to(std::string& content, std::uint64_t& hash, const text_delta& d) {
  if (auto ok = check(content, hash, d); !ok) return ok;
  const bool append = d.keep == content.size();
  content.resize(d.keep);
  content += d.text;
  hash = append && d.base ? extend(hash, d.text) : hash_of(content);
  return {};
}

}  // namespace throughline::delta
