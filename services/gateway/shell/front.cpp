#include "services/gateway/shell/front.hpp"

#include <chrono>
#include <utility>
#include <variant>

#include "common/base/ulid.hpp"
#include "common/ops/log.hpp"
#include "services/gateway/core/access.hpp"
#include "services/gateway/shell/steady.hpp"
#include "services/gateway/shell/web_pages.hpp"

namespace throughline::gateway {

namespace asio = boost::asio;

namespace {

io::http_response not_there() {
  return io::http_response::failure(404, "not_found", "there is nothing at this path");
}

io::http_response not_allowed(const wrong_method& wrong) {
  auto response = io::http_response::failure(405, "method_not_allowed", "allowed here: " + wrong.allow);
  response.headers.emplace_back("Allow", wrong.allow);
  return response;
}

}  // namespace

asio::awaitable<io::http_result> front::serve(io::http_request& request) {
  const auto begun = steady_now();
  auto response = co_await respond(request);
  const auto status = std::visit([](const auto& one) { return one.status; }, response);
  counts_.request_answered(status, std::chrono::duration<double>(steady_now() - begun).count());
  // A balancer of connections is not to lead the next request here.
  if (auto* whole = std::get_if<io::http_response>(&response)) whole->last = api_.is_cut_off();
  if (status >= 500) {
    ops::log::warn("request_failed", {{"method", request.method}, {"path", request.path}, {"status", status}});
  }
  co_return response;
}

asio::awaitable<io::http_result> front::respond(const io::http_request& request) {
  const auto routed = find_route(request.method, request.segments);
  if (const auto* wrong = std::get_if<wrong_method>(&routed)) co_return not_allowed(*wrong);
  const auto* at = std::get_if<route>(&routed);
  if (at == nullptr) {
    if (auto page = serve_page(request)) co_return std::move(*page);
    co_return not_there();
  }
  if (draining_ && stays(at->what)) co_return failure_of(draining());
  const bool streams = is_stream(at->what) && request.method == "GET";
  auto who = co_await identify_.of_request(request, streams ? request_kind::stream : request_kind::plain);
  if (!who) co_return failure_of(who.error());
  call c{.request = request,
         .who = std::move(*who),
         .what = at->what,
         .session = {},
         .inner = at->inner,
         .begun = steady_now()};
  if (!at->session.empty()) {
    if (!is_session_id(at->session)) co_return failure_of(not_visible().error());
    c.session = session_id(at->session);
  }
  if (may_be_put_off(at->what)) {
    if (const auto after = load_.refuse(false)) co_return failure_of(overloaded(), *after);
  }
  co_return co_await api_.answer_to(c);
}

asio::awaitable<io::upgrade_result> front::upgrade(io::http_request& request) {
  const auto routed = find_route(request.method, request.segments);
  const auto* at = std::get_if<route>(&routed);
  if (at == nullptr || at->what != operation::user_socket) co_return not_there();
  co_return co_await sockets_.upgrade(request);
}

}  // namespace throughline::gateway
