#include "services/gateway/shell/gateway_settings.hpp"

#include <optional>
#include <string>

namespace throughline::gateway {

namespace {

constexpr std::size_t secret_bytes_min = 32;

std::optional<std::string> check_keys(const ops::settings& given) {
  const auto& secret = given.text("jwt-hs256-secret");
  if (secret.empty() && given.text("jwt-jwks-url").empty()) {
    return "--jwt-hs256-secret (THROUGHLINE_JWT_HS256_SECRET) is required: without it nobody can sign in";
  }
  if (secret.empty())
    return "--jwt-jwks-url (THROUGHLINE_JWT_JWKS_URL) is not enough in this version: give --jwt-hs256-secret";
  if (secret.size() < secret_bytes_min)
    return "--jwt-hs256-secret (THROUGHLINE_JWT_HS256_SECRET) is shorter than 32 bytes";
  return std::nullopt;
}

}  // namespace

ops::setting_table gateway_settings() {
  ops::setting_table table("gateway", "User sockets and the public HTTP API.");
  table.common("0.0.0.0:9080");
  table.address("listen", "0.0.0.0:8080", "public port");
  table.text("jwt-hs256-secret", "", "shared secret of the users' tokens, at least 32 bytes");
  table.text("jwt-jwks-url", "", "key set of the users' tokens (RS256, ES256)");
  table.list("allowed-origins", "", "origins whose cookies are taken, beside the page's own");
  table.duration("turn-idle-timeout", "90s", "an HTTP waiter without progress this long gets an error");
  table.size("max-frame", "8MiB", "longest inbound WebSocket message");
  table.above_zero("turn-idle-timeout");
  table.above_zero("max-frame");
  table.rule(check_keys);
  return table;
}

}  // namespace throughline::gateway
