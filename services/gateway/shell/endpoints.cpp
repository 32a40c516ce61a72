#include "services/gateway/shell/endpoints.hpp"

#include <algorithm>
#include <utility>

#include "common/codec/http_bodies.hpp"
#include "common/codec/render.hpp"
#include "common/model/page_size.hpp"
#include "services/gateway/core/access.hpp"
#include "services/gateway/core/parameters.hpp"
#include "services/gateway/shell/steady.hpp"

namespace throughline::gateway {

namespace asio = boost::asio;

namespace {

/// Of all that is read for one answer: above the time after which a dead owner is replaced (design 7).
constexpr millis read_patience{8'000};

}  // namespace

millis endpoints::time_left(const call& c) {
  return std::max(millis(0), c.begun + read_patience - steady_now());
}

asio::awaitable<io::http_result> endpoints::answer_to(const call& c) {
  if (c.what == operation::chat) co_return co_await chat(c);
  if (c.what == operation::stream_answer) co_return co_await stream(c);
  co_return co_await answer_whole(c);
}

endpoints::response endpoints::answer_whole(const call& c) {
  switch (c.what) {
    case operation::create_session:
      return create(c);
    case operation::list_sessions:
      return list(c);
    case operation::read_session:
      return read_one_session(c);
    case operation::rename_session:
      return rename(c);
    case operation::delete_session:
      return remove(c);
    case operation::list_interactions:
      return list_interactions(c);
    case operation::read_interaction:
      return read_one_interaction(c);
    case operation::post_message:
      return post_message(c);
    case operation::cancel:
      return cancel(c);
    case operation::read_events:
      return read_event_lines(c);
    case operation::mint_agent_token:
      return mint_token(c);
    case operation::revoke_agent_tokens:
      return revoke_tokens(c);
    case operation::list_grants:
      return list_grants(c);
    case operation::put_grant:
      return put_grant_of(c);
    case operation::delete_grant:
      return delete_grant_of(c);
    case operation::list_agents:
      return list_attached(c);
    case operation::issue_key:
      return issue_key_of(c);
    case operation::revoke_key:
      return revoke_key_of(c);
    case operation::chat:
    case operation::stream_answer:
    case operation::user_socket:
      break;
  }
  return invalid(c, {"bad_request", "this is a WebSocket: ask for an upgrade"});
}

result<caller> endpoints::caller_of(const call& c, const std::optional<std::string>& body_id, std::string_view prefix) {
  const auto header = c.request.header("Idempotency-Key");
  std::string id;
  if (!header.empty()) {
    auto checked = codec::check_idempotency_id(header);
    if (!checked) return std::unexpected(checked.error());
    id = std::move(*checked);
  }
  if (body_id) {
    if (!id.empty() && id != *body_id) return fail("bad_request", "Idempotency-Key and id are not the same");
    id = *body_id;
  }
  if (id.empty()) id = make_id(prefix, unix_now_ms(), ids_);
  return caller{c.who.user, std::move(id), {}};
}

endpoints::response endpoints::change(session_request request, mutation_attempts::patience how_long) {
  auto said = co_await state_sync_.change(std::move(request), how_long);
  if (!said) co_return failure_of(said.error());
  if (said->body.empty()) co_return io::http_response{.status = said->status, .headers = {}, .body = nullptr};
  co_return response_of(std::move(*said));
}

asio::awaitable<result<head_reading>> endpoints::visible_head(const call& c) {
  auto heads = co_await state_sync_.read_as<std::vector<head_reading>>(read_heads{{c.session}}, time_left(c));
  if (!heads) co_return std::unexpected(heads.error());
  const bool found = heads->size() == 1 && heads->front().session == c.session && heads->front().found;
  if (const auto may = judge(found ? &heads->front().access : nullptr, c.who.user, right_needed(c.what)); !may) {
    co_return std::unexpected(may.error());
  }
  co_return std::move(heads->front());
}

asio::awaitable<result<session_reading>> endpoints::read_visible(const call& c, read_request request) {
  auto got = co_await state_sync_.read_as<session_reading>(std::move(request), time_left(c));
  if (!got) co_return std::unexpected(got.error());
  if (const auto may = judge(got->found ? &got->access : nullptr, c.who.user, right_needed(c.what)); !may) {
    co_return std::unexpected(may.error());
  }
  co_return std::move(*got);
}

endpoints::response endpoints::invalid(const call& c, error fault) {
  if (!c.session.empty()) {
    const auto head = co_await visible_head(c);
    if (!head) co_return failure_of(head.error());
  }
  co_return failure_of(fault);
}

endpoints::response endpoints::list(const call& c) {
  const auto page =
      parse_page(c.request.parameter("page"), c.request.parameter("per_page"), {50, sessions_per_page_max});
  if (!page) co_return failure_of(page.error());
  list_sessions what{.user = c.who.user, .page = page->page, .per_page = page->per_page};
  auto got = co_await state_sync_.read_as<list_reading>(std::move(what), time_left(c));
  if (!got) co_return failure_of(got.error());
  if (!got->complete) co_return failure_of(page_too_large());
  co_return io::http_response::json(200, std::move(got->body));
}

endpoints::response endpoints::list_attached(const call& c) {
  auto got = co_await state_sync_.read_as<list_reading>(list_agents{c.who.user}, time_left(c));
  if (!got) co_return failure_of(got.error());
  co_return io::http_response::json(200, std::move(got->body));
}

}  // namespace throughline::gateway
