// Waiting for an answer over HTTP: a prompt and its answer in one call, and the stream of an interaction
// (design 5.3.1).

#include <utility>

#include "common/codec/chat_answers.hpp"
#include "common/codec/digest.hpp"
#include "common/codec/http_bodies.hpp"
#include "services/gateway/core/access.hpp"
#include "services/gateway/core/parameters.hpp"
#include "services/gateway/shell/answers.hpp"
#include "services/gateway/shell/endpoints.hpp"
#include "services/gateway/shell/steady.hpp"

namespace throughline::gateway {

namespace asio = boost::asio;

/// A session of its own for a chat that names none. A repeat under the same id meets the same session.
asio::awaitable<result<answer>> endpoints::found_session(const caller& by) {
  const auto tail = codec::creation_tail(by.user, by.id);
  create_session what{.by = by,
                      .session = session_id(make_id_with_tail("ses_", unix_now_ms(), ids_, tail)),
                      .name = {},
                      .agent_name = {},
                      .metadata = "{}"};
  co_return co_await state_sync_.change(std::move(what), {});
}

/// As `invalid`, for the session that the body names.
endpoints::response endpoints::invalid_chat(const call& c, error fault) {
  auto named = codec::session_of_chat(c.request.body);
  if (!named) co_return failure_of(fault);
  if (!is_session_id(named->text())) co_return failure_of(not_visible().error());
  // What a chat does to its session is what a message does, and asks for the same right.
  const call of_session{c.request, c.who, operation::post_message, *std::move(named), {}, c.begun};
  co_return co_await invalid(of_session, std::move(fault));
}

asio::awaitable<io::http_result> endpoints::chat(const call& c) {
  auto body = codec::decode_chat(c.request.body);
  if (!body) co_return co_await invalid_chat(c, body.error());
  auto by = caller_of(c, std::nullopt, "prompt_");
  if (!by) co_return co_await invalid_chat(c, by.error());
  if (!body->session) {
    auto made = co_await found_session(*by);
    if (!made) co_return failure_of(made.error());
    if (made->status != 201) co_return response_of(std::move(*made));
    body->session = codec::id_of_session(made->body);
  }
  if (!body->session || !is_session_id(body->session->text())) co_return failure_of(not_visible().error());
  const auto session = *body->session;
  auto said = co_await state_sync_.change(
      post_prompt{.by = *by, .session = session, .content = std::move(body->content), .interrupt = body->interrupt},
      {});
  if (!said) co_return failure_of(said.error());
  if (said->status != 202) co_return response_of(std::move(*said));
  const auto id = codec::interaction_of_message(said->body);
  if (!id) co_return failure_of({"unavailable", "the prompt was accepted, but its answer cannot be followed"});
  auto waiter = co_await answers_.join(c.who, session, *id, std::nullopt);
  if (!waiter) co_return failure_of(waiter.error());
  if (body->stream) co_return answers_.stream(std::move(*waiter));
  const auto done = co_await answers_.wait(std::move(*waiter));
  auto response = done ? io::http_response::json(200, codec::chat_completion_body(**done)) : failure_of(done.error());
  response.headers.emplace_back("X-Interaction-ID", id->text());
  co_return response;
}

asio::awaitable<io::http_result> endpoints::stream(const call& c) {
  if (!is_interaction_id(c.inner)) co_return co_await invalid(c, {"not_found", "There is no such interaction."});
  if (c.request.method == "HEAD") {
    const auto head = co_await visible_head(c);
    if (!head) co_return failure_of(head.error());
    co_return io::http_response{.status = 200, .headers = {{"Content-Type", "text/event-stream"}}, .body = nullptr};
  }
  // A position that is malformed is one that is not known: everything so far follows.
  const auto since = parse_position(c.request.header("Last-Event-ID"));
  auto waiter = co_await answers_.join(c.who, c.session, interaction_id(c.inner), since);
  if (!waiter) co_return failure_of(waiter.error());
  co_return answers_.stream(std::move(*waiter));
}

}  // namespace throughline::gateway
