#include "services/gateway/shell/jwt.hpp"

#include <array>
#include <cstdint>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <simdjson.h>

namespace throughline::gateway {

namespace {

int digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  if (c == '_') return 63;
  return -1;
}

std::unexpected<error> refused() {
  return fail("unauthorized", "the token is not valid");
}

// `crit` names extensions that must be understood; none are.
bool is_hs256(const std::string& header) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(header).get(object) != simdjson::SUCCESS) return false;
  std::string_view algorithm;
  if (object["alg"].get(algorithm) != simdjson::SUCCESS) return false;
  return algorithm == "HS256" && object["crit"].error() == simdjson::NO_SUCH_FIELD;
}

std::array<unsigned char, 32> sign(const std::string& secret, std::string_view text) {
  std::array<unsigned char, 32> mac{};
  unsigned length = 0;
  const auto* made = HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                          reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &length);
  if (made == nullptr || length != mac.size()) mac.fill(0);
  return mac;
}

/// False: there, but no number.
bool read_time(const simdjson::dom::object& object, const char* name, std::optional<double>& out) {
  const auto found = object[name];
  if (found.error() == simdjson::NO_SUCH_FIELD) return true;
  double value = 0;
  if (found.get(value) != simdjson::SUCCESS) return false;
  out = value;
  return true;
}

}  // namespace

std::optional<std::string> base64url_decoded(std::string_view text) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const int value = digit(c);
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>((bits >> held) & 0xff);
  }
  if ((bits & ((1u << held) - 1)) != 0) return std::nullopt;
  return out;
}

result<claims> jwt_verifier::verify(std::string_view token) const {
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return refused();
  const auto header = base64url_decoded(token.substr(0, first));
  const auto payload = base64url_decoded(token.substr(first + 1, second - first - 1));
  const auto signature = base64url_decoded(token.substr(second + 1));
  if (!header || !payload || !signature || !is_hs256(*header)) return refused();
  const auto expected = sign(secret_, token.substr(0, second));
  if (signature->size() != expected.size() || CRYPTO_memcmp(signature->data(), expected.data(), expected.size()) != 0) {
    return refused();
  }
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(*payload).get(object) != simdjson::SUCCESS) return refused();
  claims said;
  std::string_view subject;
  if (object["sub"].get(subject) == simdjson::SUCCESS) said.subject = std::string(subject);
  if (!read_time(object, "exp", said.expires) || !read_time(object, "nbf", said.not_before)) return refused();
  return said;
}

}  // namespace throughline::gateway
