// API keys (design 5.2). A key is made here and leaves with the answer; what goes over NATS, and into the database, is
// its hash.

#include <utility>

#include "common/codec/digest.hpp"
#include "common/codec/http_bodies.hpp"
#include "common/codec/render.hpp"
#include "common/model/key_request.hpp"
#include "services/gateway/core/parameters.hpp"
#include "services/gateway/shell/endpoints.hpp"
#include "services/gateway/shell/steady.hpp"

namespace throughline::gateway {

namespace {

constexpr std::string_view key_id_prefix = "key_";

}  // namespace

endpoints::response endpoints::issue_key_of(const call& c) {
  auto body = codec::decode_create_key(c.request.body);
  if (!body) co_return failure_of(body.error());
  auto by = caller_of(c, std::nullopt, id_prefix);
  if (!by) co_return failure_of(by.error());
  const auto key = codec::make_secret(api_key_prefix);
  issue_key what{.by = std::move(*by),
                 .key = make_id(key_id_prefix, unix_now_ms(), ids_),
                 .name = std::move(body->name),
                 .key_hash = codec::sha256_hex(key)};
  auto said = co_await state_sync_.change_key(std::move(what));
  if (!said) co_return failure_of(said.error());
  if (said->status == 201) said->body = codec::with_field(said->body, "key", key);
  auto response = response_of(std::move(*said));
  response.headers.emplace_back("Cache-Control", "no-store");
  co_return response;
}

endpoints::response endpoints::revoke_key_of(const call& c) {
  if (!is_user_id(c.inner)) co_return failure_of({"not_found", "There is no such key."});
  auto by = caller_of(c, std::nullopt, id_prefix);
  if (!by) co_return failure_of(by.error());
  auto said = co_await state_sync_.change_key(revoke_key{.by = std::move(*by), .key = c.inner});
  if (!said) co_return failure_of(said.error());
  if (said->body.empty()) co_return io::http_response{.status = said->status, .headers = {}, .body = nullptr};
  co_return response_of(std::move(*said));
}

}  // namespace throughline::gateway
