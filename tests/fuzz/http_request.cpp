// What a request shows of itself before its body is looked at: target, identity, parameters, ids, the agent's upgrade.
// The first byte says which.

#include <algorithm>
#include <cstdint>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/base/position.hpp"
#include "common/base/ulid.hpp"
#include "common/base/utf.hpp"
#include "common/codec/agent_frames.hpp"
#include "common/codec/http_bodies.hpp"
#include "common/codec/key_requests.hpp"
#include "common/io/net/http.hpp"
#include "services/agent-bridge/core/credentials.hpp"
#include "services/gateway/core/identity.hpp"
#include "services/gateway/core/parameters.hpp"
#include "services/gateway/core/routes.hpp"
#include "services/gateway/shell/jwt.hpp"
#include "tests/fuzz/require.hpp"

using namespace throughline;

namespace {

const std::string secret = "a secret of the fuzz targets, of more than 32 bytes";
const gateway::origin_list allowed = {"https://app.example"};

/// The parts of an input, between tabs; `count` of them, the missing ones empty.
std::vector<std::string_view> parts_of(std::string_view text, std::size_t count) {
  std::vector<std::string_view> out;
  while (out.size() + 1 < count) {
    const auto end = std::min(text.find('\t'), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  out.push_back(text);
  return out;
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const unsigned char c : text) out += fmt::format("%{:02x}", c);
  return out;
}

/// Written anew, every byte encoded, a target means the same.
void check_target(std::string_view text) {
  io::http_request first;
  if (!io::parse_target(text, first)) return;
  std::string again;
  for (const auto& segment : first.segments) {
    const bool unreadable = segment == std::string_view("\0", 1);
    fuzz::require(unreadable || segment.find('\0') == std::string::npos);
    again += "/" + (unreadable ? "%zz" : percent_encoded(segment));
  }
  if (again.empty()) again = "/";
  for (std::size_t i = 0; i < first.query.size(); ++i) {
    const auto& [name, value] = first.query[i];
    fuzz::require(name.find('\0') == std::string::npos && value.find('\0') == std::string::npos);
    again += (i == 0 ? "?" : "&") + percent_encoded(name) + "=" + percent_encoded(value);
  }
  io::http_request second;
  fuzz::require(io::parse_target(again, second));
  fuzz::require(second.segments == first.segments && second.query == first.query);
}

void check_route(std::string_view text) {
  io::http_request request;
  const auto parts = parts_of(text, 2);
  if (!io::parse_target(parts[1], request)) return;
  const auto found = gateway::find_route(parts[0], request.segments);
  if (const auto* route = std::get_if<gateway::route>(&found)) {
    const bool names_one = gateway::right_needed(route->what) != right::none;
    fuzz::require(route->what == gateway::operation::user_socket || !names_one || !route->session.empty());
  }
  if (const auto* wrong = std::get_if<gateway::wrong_method>(&found)) fuzz::require(!wrong->allow.empty());
}

void check_identity(std::string_view text) {
  if (text.empty()) return;
  const auto parts = parts_of(text.substr(1), 5);
  const gateway::credentials shown{.authorization = parts[0],
                                   .cookie = parts[1],
                                   .query_token = parts[2],
                                   .origin = parts[3],
                                   .host = parts[4],
                                   .read_only = (text[0] & 1) != 0,
                                   .query_token_allowed = (text[0] & 2) != 0};
  const auto token = gateway::find_token(shown, allowed);
  if (!token) return fuzz::require(token.error().code == "unauthorized");
  fuzz::require(!token->empty());
  if (!shown.authorization.empty()) return fuzz::require(shown.authorization.ends_with(*token));
  const bool origin_is_good = gateway::is_allowed_origin(shown.origin, shown.host, allowed);
  const bool by_query = shown.query_token_allowed && *token == shown.query_token;
  fuzz::require(by_query || origin_is_good || (shown.origin.empty() && shown.read_only));
}

std::string base64url(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const unsigned char c : bytes) {
    bits = (bits << 8) | c;
    for (held += 8; held >= 6; held -= 6) out += digits[(bits >> (held - 6)) & 63];
  }
  if (held > 0) out += digits[(bits << (6 - held)) & 63];
  return out;
}

std::string signed_token(std::string_view header, std::string_view payload) {
  auto token = base64url(header) + "." + base64url(payload);
  unsigned char mac[32];
  unsigned length = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(token.data()), token.size(), mac, &length);
  return token + "." + base64url({reinterpret_cast<const char*>(mac), length});
}

/// As it comes nothing is believed; properly signed, what it says is read and bounded.
void check_jwt(std::string_view text) {
  const gateway::jwt_verifier tokens(secret);
  fuzz::require(!tokens.verify(text));
  if (const auto bytes = gateway::base64url_decoded(text)) fuzz::require(base64url(*bytes) == text);
  const auto parts = parts_of(text, 2);
  const auto said = tokens.verify(signed_token(parts[0], parts[1]));
  if (!said) return fuzz::require(said.error().code == "unauthorized");
  const auto who = gateway::identify(*said, 1'800'000'000.0);
  if (!who) return;
  fuzz::require(!who->user.empty() && who->user.text().size() <= outside_id_bytes_max);
  fuzz::require(who->expires_unix_s && *who->expires_unix_s > 1'800'000'000.0);
}

void check_parameters(std::string_view text) {
  const auto parts = parts_of(text, 2);
  if (const auto page = gateway::parse_page(parts[0], parts[1], {50, 200})) {
    fuzz::require(page->page <= gateway::page_max && page->per_page >= 1 && page->per_page <= 200);
  }
  if (const auto limit = gateway::parse_limit(text)) fuzz::require(*limit >= 1 && *limit <= gateway::events_max);
  if (const auto since = gateway::parse_since(text)) fuzz::require(*since && to_text(**since) == text);
  (void)gateway::parse_newest_first(text);
  (void)gateway::parse_flag(text);
  const auto tag = gateway::session_etag({1, 42}, parts[0].empty());
  const bool named = parts[1].find(tag) != std::string_view::npos || parts[1].find('*') != std::string_view::npos;
  fuzz::require(named || !gateway::matches_etag(parts[1], tag));
}

void check_ids(std::string_view text) {
  if (const auto id = codec::check_idempotency_id(text)) fuzz::require(*id == text && text.size() <= 128);
  if (gateway::is_user_id(text)) fuzz::require(is_utf8(text) && text.size() <= outside_id_bytes_max);
  if (gateway::is_interaction_id(text)) fuzz::require(text.size() == 30);
  if (is_session_id(text)) fuzz::require(text.size() == 30);
  if (const auto token = agent_bridge::agent_token(text)) fuzz::require(token->starts_with("ha-"));
  if (const auto name = agent_bridge::agent_instance(std::string(text))) {
    fuzz::require(name->size() <= outside_id_bytes_max && agent_bridge::agent_instance(*name) == name);
  }
  (void)codec::agent_seq_of(text);
}

void check_key_request(std::string_view text) {
  const auto message = codec::decode_key_request(text);
  if (!message) return fuzz::require(message.error().code == "bad_message");
  const auto once = codec::encode(message->what, message->budget);
  const auto again = codec::decode_key_request(once);
  fuzz::require(again && codec::encode(again->what, again->budget) == once);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
      check_target(text);
      break;
    case 1:
      check_route(text);
      break;
    case 2:
      check_identity(text);
      break;
    case 3:
      check_jwt(text);
      break;
    case 4:
      check_parameters(text);
      break;
    case 5:
      check_ids(text);
      break;
    case 6:
      check_key_request(text);
      break;
    default:
      check_target("/api/v1/ws/user?" + std::string(text));
  }
  return 0;
}
