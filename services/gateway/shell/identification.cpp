#include "services/gateway/shell/identification.hpp"

#include <string>
#include <utility>

#include "common/codec/digest.hpp"
#include "services/gateway/shell/steady.hpp"

namespace throughline::gateway {

namespace asio = boost::asio;

namespace {

constexpr millis key_budget{5'000};

std::unexpected<error> not_valid() {
  return fail("unauthorized", "the token is not valid");
}

}  // namespace

asio::awaitable<result<identity>> identification::of_request(const io::http_request& request, request_kind kind) {
  const bool read_only = kind != request_kind::socket && (request.method == "GET" || request.method == "HEAD");
  const credentials shown{
      .authorization = request.header("Authorization"),
      .cookie = request.header("Cookie"),
      .query_token = request.parameter("access_token").value_or(std::string_view()),
      .origin = request.header("Origin"),
      .host = request.header("Host"),
      .read_only = read_only,
      .query_token_allowed = kind != request_kind::plain,
  };
  const auto token = find_token(shown, allowed_);
  if (!token) co_return std::unexpected(token.error());
  co_return co_await of_token(std::string(*token));
}

asio::awaitable<result<identity>> identification::of_token(std::string token) {
  if (!is_api_key(token)) {
    const auto said = tokens_.verify(token);
    if (!said) co_return std::unexpected(said.error());
    co_return identify(*said, unix_now_s());
  }
  auto hash = codec::sha256_hex(token);
  const auto asked = steady_now();
  if (const auto* known = keys_.owner_of(hash, asked)) co_return identity{*known, std::nullopt, std::move(hash)};
  if (keys_.is_unknown(hash, asked)) co_return not_valid();
  const auto found = co_await link_.read_as<owner_reading>(find_key{hash}, key_budget);
  if (!found) co_return std::unexpected(found.error());
  if (!found->found) keys_.keep_unknown(hash, asked);
  if (!found->found || keys_.was_revoked(hash, steady_now())) co_return not_valid();
  keys_.keep(hash, user_id(found->owner), asked);
  co_return identity{user_id(found->owner), std::nullopt, std::move(hash)};
}

void identification::key_revoked(const std::string& key_hash) {
  if (!key_hash.empty()) keys_.revoke(key_hash, steady_now());
}

bool identification::was_revoked(const identity& who) const {
  return !who.key_hash.empty() && keys_.was_revoked(who.key_hash, steady_now());
}

asio::awaitable<bool> identification::key_is_gone(std::string key_hash) {
  const auto found = co_await link_.read_as<owner_reading>(find_key{std::move(key_hash)}, key_budget);
  co_return found && !found->found;
}

}  // namespace throughline::gateway
