#include "common/io/nats/nats_asio.hpp"

#include <functional>
#include <optional>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace throughline::io {
namespace {

namespace asio = boost::asio;

using request_handler = asio::async_result<asio::use_awaitable_t<>, void(result<message>)>::handler_type;

/// A request whose coroutine waits. It resumes once: by the outcome, or by its cancellation.
class awaited_request : public std::enable_shared_from_this<awaited_request> {
 public:
  explicit awaited_request(request_handler handler) : handler_(std::move(handler)) {}

  void watch_cancellation() {
    if (!handler_) return;
    const auto slot = asio::get_associated_cancellation_slot(*handler_);
    if (!slot.is_connected()) return;
    // Weak: the slot keeps this after the request is over.
    asio::cancellation_slot(slot).assign([weak = weak_from_this()](asio::cancellation_type) {
      if (const auto request = weak.lock()) request->cancel();
    });
  }

  void complete(result<message> outcome) {
    if (!handler_) return;
    auto handler = std::move(*handler_);
    handler_.reset();
    const auto executor = asio::get_associated_executor(handler);
    asio::dispatch(executor, [handler = std::move(handler), outcome = std::move(outcome)]() mutable {
      handler(std::move(outcome));
    });
  }

  request_handle under_way;

 private:
  void cancel() {
    under_way.cancel();
    complete(fail("cancelled", "no longer wanted"));
  }

  std::optional<request_handler> handler_;
};

}  // namespace

std::unique_ptr<nats_link> make_nats_link(asio::io_context& loop, nats_settings settings) {
  const auto drain = std::make_shared<std::function<void()>>();
  settings.wake = [&loop, drain] { asio::post(loop, *drain); };
  auto link = std::make_unique<nats_link>(std::move(settings));
  *drain = link->drainer();  // before anything can wake it
  return link;
}

asio::awaitable<result<message>> request(nats_link& link, request_target target, message_headers headers,
                                         std::string body, std::chrono::milliseconds timeout) {
  const auto begin = [&](request_handler handler) {
    const auto waiting = std::make_shared<awaited_request>(std::move(handler));
    waiting->watch_cancellation();
    waiting->under_way = link.request(target, headers, body, timeout,
                                      [waiting](result<message> outcome) { waiting->complete(std::move(outcome)); });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(result<message>)>(begin,
                                                                                                asio::use_awaitable);
}

}  // namespace throughline::io
