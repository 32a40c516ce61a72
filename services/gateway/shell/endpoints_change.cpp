// The operations that change something. What a body says is checked here; whether it may be done, and what it does, is
// the owner's decision, under the id of the call.

#include <utility>

#include "common/codec/digest.hpp"
#include "common/codec/http_bodies.hpp"
#include "common/codec/render.hpp"
#include "services/gateway/core/access.hpp"
#include "services/gateway/core/parameters.hpp"
#include "services/gateway/shell/endpoints.hpp"
#include "services/gateway/shell/steady.hpp"

namespace throughline::gateway {

namespace {

constexpr std::string_view agent_token_prefix = "ha-";

}  // namespace

endpoints::response endpoints::create(const call& c) {
  auto body = codec::decode_create(c.request.body);
  if (!body) co_return failure_of(body.error());
  auto by = caller_of(c, std::nullopt, id_prefix);
  if (!by) co_return failure_of(by.error());
  const auto tail = codec::creation_tail(by->user, by->id);
  create_session what{.by = std::move(*by),
                      .session = session_id(make_id_with_tail("ses_", unix_now_ms(), ids_, tail)),
                      .name = std::move(body->name),
                      .agent_name = std::move(body->agent_name),
                      .metadata = std::move(body->metadata)};
  co_return co_await change(std::move(what));
}

endpoints::response endpoints::rename(const call& c) {
  auto body = codec::decode_rename(c.request.body);
  if (!body) co_return co_await invalid(c, body.error());
  auto by = caller_of(c, std::nullopt, id_prefix);
  if (!by) co_return co_await invalid(c, by.error());
  rename_session what{.by = std::move(*by), .session = c.session, .name = std::move(body->name)};
  co_return co_await change(std::move(what));
}

endpoints::response endpoints::remove(const call& c) {
  auto by = caller_of(c, std::nullopt, id_prefix);
  if (!by) co_return co_await invalid(c, by.error());
  delete_session what{.by = std::move(*by), .session = c.session};
  co_return co_await change(std::move(what));
}

endpoints::response endpoints::post_message(const call& c) {
  auto body = codec::decode_post_message(c.request.body);
  if (!body) co_return co_await invalid(c, body.error());
  auto by = caller_of(c, body->id, "prompt_");
  if (!by) co_return co_await invalid(c, by.error());
  post_prompt what{
      .by = std::move(*by), .session = c.session, .content = std::move(body->content), .interrupt = body->interrupt};
  co_return co_await change(std::move(what));
}

endpoints::response endpoints::cancel(const call& c) {
  auto body = codec::decode_cancel(c.request.body);
  if (!body) co_return co_await invalid(c, body.error());
  auto by = caller_of(c, std::nullopt, id_prefix);
  if (!by) co_return co_await invalid(c, by.error());
  cancel_turn what{.by = std::move(*by), .session = c.session, .interaction = std::move(body->interaction)};
  co_return co_await change(std::move(what), cancel_patience);
}

// The token is made here and leaves with the answer; what goes over NATS, and into the database, is its hash.
endpoints::response endpoints::mint_token(const call& c) {
  const auto body = codec::decode_mint_token(c.request.body);
  if (!body) co_return co_await invalid(c, body.error());
  auto by = caller_of(c, std::nullopt, id_prefix);
  if (!by) co_return co_await invalid(c, by.error());
  const auto token = codec::make_secret(agent_token_prefix);
  mint_agent_token what{
      .by = std::move(*by), .session = c.session, .token_hash = codec::sha256_hex(token), .ttl = body->ttl};
  auto said = co_await state_sync_.change(std::move(what), {});
  if (!said) co_return failure_of(said.error());
  if (said->status == 201) said->body = codec::with_field(said->body, "token", token);
  auto response = io::http_response::json(said->status, std::move(said->body));
  response.headers.emplace_back("Cache-Control", "no-store");
  co_return response;
}

endpoints::response endpoints::revoke_tokens(const call& c) {
  auto by = caller_of(c, std::nullopt, id_prefix);
  if (!by) co_return co_await invalid(c, by.error());
  revoke_agent_tokens what{.by = std::move(*by), .session = c.session};
  co_return co_await change(std::move(what));
}

endpoints::response endpoints::put_grant_of(const call& c) {
  if (!is_user_id(c.inner)) co_return co_await invalid(c, {"bad_request", "this is not a user id"});
  const auto body = codec::decode_put_grant(c.request.body);
  if (!body) co_return co_await invalid(c, body.error());
  auto by = caller_of(c, std::nullopt, id_prefix);
  if (!by) co_return co_await invalid(c, by.error());
  // Only the owner may do this: who grants to himself is the owner, or is refused by `invalid`.
  if (c.inner == c.who.user.text()) co_return co_await invalid(c, {"bad_request", "the owner needs no grant"});
  put_grant what{.by = std::move(*by), .session = c.session, .grantee = user_id(c.inner), .what = body->what};
  co_return co_await change(std::move(what));
}

endpoints::response endpoints::delete_grant_of(const call& c) {
  if (!is_user_id(c.inner)) co_return co_await invalid(c, {"bad_request", "this is not a user id"});
  auto by = caller_of(c, std::nullopt, id_prefix);
  if (!by) co_return co_await invalid(c, by.error());
  delete_grant what{.by = std::move(*by), .session = c.session, .grantee = user_id(c.inner)};
  co_return co_await change(std::move(what));
}

}  // namespace throughline::gateway
