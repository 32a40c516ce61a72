// The operations that read one session. Each answer brings the access list it was read under, and is judged by it.

#include <algorithm>
#include <utility>

#include "common/codec/render.hpp"
#include "common/model/page_size.hpp"
#include "services/gateway/core/access.hpp"
#include "services/gateway/core/parameters.hpp"
#include "services/gateway/shell/endpoints.hpp"
#include "services/gateway/shell/event_lines.hpp"

namespace throughline::gateway {

namespace {

/// Of one read, and of one answer in all: what is left is asked for with a later `since`.
constexpr std::size_t read_bytes_max = std::size_t{8} << 20;
constexpr std::size_t answer_bytes_max = std::size_t{32} << 20;

io::http_response not_modified(std::string etag) {
  return {
      .status = 304, .headers = {{"ETag", std::move(etag)}, {"Cache-Control", "no-cache, private"}}, .body = nullptr};
}

}  // namespace

endpoints::response endpoints::read_one_session(const call& c) {
  const auto skip = parse_flag(c.request.parameter("skipInteractions"));
  if (!skip) co_return co_await invalid(c, skip.error());
  const auto seen = c.request.header("If-None-Match");
  if (!seen.empty()) {
    const auto head = co_await visible_head(c);
    if (!head) co_return failure_of(head.error());
    auto etag = session_etag(head->head, *skip);
    if (matches_etag(seen, etag)) co_return not_modified(std::move(etag));
  }
  auto got = co_await read_visible(c, read_session{.session = c.session, .skip_interactions = *skip});
  if (!got) co_return failure_of(got.error());
  auto response = io::http_response::json(200, std::move(got->body));
  response.headers.emplace_back("ETag", session_etag(got->head, *skip));
  response.headers.emplace_back("Cache-Control", "no-cache, private");
  co_return response;
}

endpoints::response endpoints::list_interactions(const call& c) {
  const auto page =
      parse_page(c.request.parameter("page"), c.request.parameter("per_page"), {100, interactions_per_page_max});
  if (!page) co_return co_await invalid(c, page.error());
  const auto newest_first = parse_newest_first(c.request.parameter("order"));
  if (!newest_first) co_return co_await invalid(c, newest_first.error());
  read_interactions what{
      .session = c.session, .page = page->page, .per_page = page->per_page, .newest_first = *newest_first};
  auto got = co_await read_visible(c, std::move(what));
  if (!got) co_return failure_of(got.error());
  if (!got->complete) co_return failure_of(page_too_large());
  co_return io::http_response::json(200, std::move(got->body));
}

endpoints::response endpoints::read_one_interaction(const call& c) {
  if (!is_interaction_id(c.inner)) co_return co_await invalid(c, not_visible().error());
  read_interaction what{.session = c.session, .interaction = interaction_id(c.inner)};
  auto got = co_await read_visible(c, std::move(what));
  if (!got) co_return failure_of(got.error());
  if (!got->inner_found) co_return failure_of({"not_found", "no such interaction"});
  co_return io::http_response::json(200, std::move(got->body));
}

endpoints::response endpoints::read_event_lines(const call& c) {
  const auto since = parse_since(c.request.parameter("since"));
  if (!since) co_return co_await invalid(c, since.error());
  const auto limit = parse_limit(c.request.parameter("limit"));
  if (!limit) co_return co_await invalid(c, limit.error());
  read_events what{.session = c.session, .since = *since, .limit = *limit, .bytes_max = read_bytes_max};
  std::string lines;
  for (;;) {
    auto got = co_await read_visible(c, what);
    // What was read is an answer: the next one goes on after its last line, or says why it cannot.
    if (!lines.empty() && (!got || !got->known_position)) break;
    if (!got) co_return failure_of(got.error());
    if (!got->known_position) {
      co_return failure_of({"position_unknown", "this position cannot be resumed: read the session again"});
    }
    const auto count = count_lines(got->body);
    if (!got->body.empty() && got->body.back() != '\n') got->body += '\n';
    lines += got->body;
    what.limit -= std::min<std::uint64_t>(what.limit, count);
    if (got->complete || count == 0 || what.limit == 0 || lines.size() >= answer_bytes_max) break;
    // A range is gapless (design 3.7): its last event is as far behind its start as it has lines.
    what.since = position{got->head.epoch, (what.since ? what.since->seq : 0) + count};
  }
  co_return io::http_response{.status = 200,
                              .headers = {{"Content-Type", "application/x-ndjson"}},
                              .body = std::make_shared<const std::string>(std::move(lines))};
}

endpoints::response endpoints::list_grants(const call& c) {
  const auto head = co_await visible_head(c);
  if (!head) co_return failure_of(head.error());
  if (head->root != c.session) co_return failure_of(codec::is_child_session());
  co_return io::http_response::json(200, codec::grants_body(head->access.grants));
}

}  // namespace throughline::gateway
