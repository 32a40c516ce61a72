#pragma once
// The link on an Asio loop: callbacks run on the loop, and a request is awaited.

#include <chrono>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "common/base/result.hpp"
#include "common/io/nats/nats_link.hpp"

namespace throughline::io {

/// A link whose handlers and callbacks run on `loop`'s thread, a batch per turn (`settings.wake` is set here). It is
/// not started yet. Destroy it on that thread, before the loop.
std::unique_ptr<nats_link> make_nats_link(boost::asio::io_context& loop, nats_settings settings);

/// `nats_link::request`, awaited on the link's loop. Cancelling the coroutine gives `cancelled`.
boost::asio::awaitable<result<message>> request(nats_link& link, request_target target, message_headers headers,
                                                std::string body, std::chrono::milliseconds timeout);

}  // namespace throughline::io
