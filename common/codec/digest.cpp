#include "common/codec/digest.hpp"

#include <array>
#include <memory>
#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "common/base/ulid.hpp"
#include "common/codec/render.hpp"

namespace throughline::codec {
namespace {

using digest_bytes = std::array<unsigned char, 32>;

/// SHA-256 in pieces. libcrypto fails here only when it is broken or out of memory: that ends the process's work.
class sha256 {
 public:
  sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) throw std::runtime_error("sha256");
  }
  void add(std::string_view bytes) {
    if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) throw std::runtime_error("sha256");
  }
  digest_bytes finish() {
    digest_bytes out{};
    if (EVP_DigestFinal_ex(context_.get(), out.data(), nullptr) != 1) throw std::runtime_error("sha256");
    return out;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

std::string hex(const digest_bytes& bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const auto b : bytes) {
    out += digits[b >> 4];
    out += digits[b & 15];
  }
  return out;
}

void add_field(sha256& digest, std::string_view field) {
  digest.add(std::to_string(field.size()));
  digest.add(":");
  digest.add(field);
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  sha256 digest;
  digest.add(bytes);
  return hex(digest.finish());
}

std::string base64url(std::string_view bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t held = 0;
  int bits = 0;
  for (const char c : bytes) {
    held = (held << 8) | static_cast<unsigned char>(c);
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      out += alphabet[(held >> bits) & 63];
    }
  }
  if (bits > 0) out += alphabet[(held << (6 - bits)) & 63];
  return out;
}

std::string entries_sha256(const std::vector<entry>& entries) {
  sha256 digest;
  for (const auto& e : entries) {
    if (e.content.empty()) continue;
    add_field(digest, name_of(e.type));
    add_field(digest, e.id.text());
    add_field(digest, e.tool_name);
    add_field(digest, e.tool_status);
    add_field(digest, e.content);
  }
  return hex(digest.finish());
}

std::string creation_tail(const user_id& user, std::string_view id) {
  sha256 digest;
  add_field(digest, user.text());
  add_field(digest, id);
  const auto bytes = digest.finish();
  return tail_of_hash((std::uint64_t{bytes[0]} << 8) | bytes[1]);
}

std::string make_secret(std::string_view prefix) {
  std::array<char, 32> bytes{};
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) != 1) {
    throw std::runtime_error("no entropy");
  }
  return std::string(prefix) + base64url({bytes.data(), bytes.size()});
}

}  // namespace throughline::codec
