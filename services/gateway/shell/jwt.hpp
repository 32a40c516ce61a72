#pragma once
// JWTs signed with a shared secret: HS256 and nothing else. Constant time in the signature.

#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "services/gateway/core/identity.hpp"

namespace throughline::gateway {

class jwt_verifier {
 public:
  explicit jwt_verifier(std::string secret) : secret_(std::move(secret)) {}

  /// The claims of a token whose signature is good. Error `unauthorized`; the token is in no message.
  result<claims> verify(std::string_view token) const;

 private:
  std::string secret_;
};

/// Strict: URL alphabet, no padding, no stray bits. Empty optional on anything else.
std::optional<std::string> base64url_decoded(std::string_view text);

}  // namespace throughline::gateway
