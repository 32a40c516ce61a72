#include <doctest/doctest.h>

#include "tests/unit/io/net/raw_client.hpp"
#include "tests/unit/io/net/running_server.hpp"

using namespace throughline;
using throughline::testing::behaviour;
using throughline::testing::raw_client;
using throughline::testing::running_server;

namespace {

/// Answers with what it got: method, path, body length.
std::shared_ptr<behaviour> echo() {
  auto what = std::make_shared<behaviour>();
  what->on_request = [](io::http_request& r) -> boost::asio::awaitable<io::http_result> {
    if (r.path == "/throw") throw std::runtime_error("thrown by a handler");
    if (r.path == "/slow") co_await io::sleep_for(std::chrono::milliseconds(300));
    co_return io::http_response::json(200, r.method + " " + r.path + " " + std::to_string(r.body.size()));
  };
  what->on_upgrade = [](io::http_request&) -> boost::asio::awaitable<io::upgrade_result> {
    co_return io::http_response::failure(401, "unauthorized", "no");
  };
  return what;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("requests follow each other on one connection, pipelined ones too") {
  running_server server(echo());
  raw_client client(server.port());
  client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
  CHECK(has(client.response(), "GET /a 0"));
  CHECK(has(client.response(), "POST /b 3"));
  client.send("GET /c HTTP/1.1\r\nConnection: close\r\n\r\n");
  const auto last = client.take_all();
  CHECK(has(last, "GET /c 0"));
  CHECK(has(last, "Connection: close"));
}

TEST_CASE("HEAD gets the head only") {
  running_server server(echo());
  raw_client client(server.port());
  client.send("HEAD /a HTTP/1.1\r\n\r\n");
  CHECK(has(client.response(false), "Content-Length: 9"));
  client.send("GET /b HTTP/1.1\r\n\r\n");
  CHECK(client.response().starts_with("HTTP/1.1 200"));
}

TEST_CASE("a body above the limit is 413, with a length or in chunks") {
  running_server server(echo(), {.body_bytes_max = 1000});
  raw_client client(server.port());
  client.send("POST /a HTTP/1.1\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'x'));
  const auto with_length = client.take_all();
  CHECK(has(with_length, "HTTP/1.1 413"));
  CHECK(has(with_length, R"("code":"too_large")"));
  raw_client chunked(server.port());
  chunked.send("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5dc\r\n" + std::string(1500, 'x') +
               "\r\n0\r\n\r\n");
  CHECK(has(chunked.take_all(), "HTTP/1.1 413"));
  raw_client exact(server.port());
  exact.send("POST /a HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x'));
  CHECK(has(exact.response(), "POST /a 1000"));
}

TEST_CASE("a header above the limit is 431, and nonsense is 400") {
  running_server server(echo(), {.header_bytes_max = 500});
  raw_client big(server.port());
  big.send("GET /a HTTP/1.1\r\nX: " + std::string(1000, 'x') + "\r\n\r\n");
  CHECK(has(big.take_all(), "HTTP/1.1 431"));
  raw_client bad(server.port());
  bad.send("NONSENSE\r\n\r\n");
  CHECK(has(bad.take_all(), "HTTP/1.1 400"));
  raw_client target(server.port());
  target.send("GET /?a=%zz HTTP/1.1\r\n\r\n");
  CHECK(has(target.take_all(), "HTTP/1.1 400"));
}

TEST_CASE("a client that asks first is told to go on") {
  running_server server(echo());
  raw_client client(server.port());
  client.send("POST /a HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK(client.take_until("\r\n\r\n").starts_with("HTTP/1.1 100"));
  client.send("ok");
  CHECK(has(client.response(), "POST /a 2"));
}

TEST_CASE("an exception of a handler is that request's 500 and nothing else's") {
  running_server server(echo());
  raw_client client(server.port());
  client.send("GET /throw HTTP/1.1\r\n\r\n");
  CHECK(has(client.response(), "HTTP/1.1 500"));
  client.send("GET /a HTTP/1.1\r\n\r\n");
  CHECK(has(client.response(), "HTTP/1.1 200"));
  CHECK(server.faults == 1);
}

TEST_CASE("a header that does not come to its end is not waited for") {
  running_server server(echo(), {.header_wait = std::chrono::milliseconds(50)});
  raw_client client(server.port());
  client.send("GET /a HTTP/1.1\r\nX: ");
  CHECK(client.take_all().empty());
}

TEST_CASE("stopping: idle connections end, a busy one after its response, new ones are refused") {
  running_server server(echo());
  raw_client idle(server.port());
  idle.send("GET /a HTTP/1.1\r\n\r\n");
  CHECK(has(idle.response(), "200"));
  raw_client busy(server.port());
  busy.send("GET /slow HTTP/1.1\r\n\r\n");
  CHECK(server.eventually([&] { return server.server().connections() == 2; }));
  server.on_loop([&] { server.server().stop_accepting(); });
  CHECK(idle.take_all().empty());
  const auto last = busy.take_all();
  CHECK((last.empty() || has(last, "GET /slow 0")));
  CHECK_THROWS(raw_client(server.port()));
  CHECK(server.eventually([&] { return server.server().connections() == 0; }));
}

TEST_CASE("stopping: what had been sent by then is answered, also on a connection that was not taken yet") {
  running_server server(echo());
  raw_client idle(server.port());
  idle.send("GET /a HTTP/1.1\r\n\r\n");
  CHECK(has(idle.response(), "200"));
  std::unique_ptr<raw_client> late;
  server.on_loop([&] {
    late = std::make_unique<raw_client>(server.port());
    late->send("GET /late HTTP/1.1\r\n\r\n");
    idle.send("GET /again HTTP/1.1\r\n\r\n");
    CHECK((late->delivered() && idle.delivered()));
    server.server().stop_accepting();
  });
  const auto answer = late->take_all();
  CHECK(has(answer, "GET /late"));
  CHECK(has(answer, "Connection: close"));
  CHECK(has(idle.take_all(), "GET /again"));
  CHECK(server.eventually([&] { return server.server().connections() == 0; }));
}

TEST_CASE("connections are bounded by the files that may be open") {
  const auto all = io::raise_descriptor_limit(0);
  CHECK(all > 0);
  CHECK(all <= io::server_limits{}.connections_max);
  CHECK(io::raise_descriptor_limit(100) <= all);
}

TEST_CASE("a stream is written in chunks until it is finished") {
  auto what = echo();
  auto stream = std::make_shared<io::event_stream>();
  what->on_request = [stream](io::http_request&) -> boost::asio::awaitable<io::http_result> {
    CHECK(stream->write(std::make_shared<const std::string>("data: 1\n\n")) == io::send_verdict::queued);
    co_return io::stream_response{.headers = {{"Content-Type", "text/event-stream"}}, .body = stream};
  };
  running_server server(what);
  raw_client client(server.port());
  client.send("GET /s HTTP/1.1\r\n\r\n");
  CHECK(has(client.take_until("\r\n\r\n"), "Transfer-Encoding: chunked"));
  CHECK(client.take_until("\n\n\r\n") == "9\r\ndata: 1\n\n\r\n");
  server.on_loop([&] {
    CHECK(stream->write(std::make_shared<const std::string>("data: 2\n\n")) == io::send_verdict::queued);
    stream->finish();
  });
  CHECK(client.take_all() == "9\r\ndata: 2\n\n\r\n0\r\n\r\n");
}

TEST_CASE("a stream learns that its client has gone") {
  auto what = echo();
  auto stream = std::make_shared<io::event_stream>();
  what->on_request = [stream](io::http_request&) -> boost::asio::awaitable<io::http_result> {
    co_return io::stream_response{.headers = {}, .body = stream};
  };
  running_server server(what);
  {
    raw_client client(server.port());
    client.send("GET /s HTTP/1.1\r\n\r\n");
    client.take_until("\r\n\r\n");
  }
  CHECK(server.eventually([&] { return stream->closed(); }));
  CHECK(server.eventually([&] { return server.server().connections() == 0; }));
}

TEST_CASE("a stream that is cut ends also for a client that reads nothing") {
  auto what = echo();
  auto stream = std::make_shared<io::event_stream>(std::size_t{64} << 20);
  what->on_request = [stream](io::http_request&) -> boost::asio::awaitable<io::http_result> {
    co_return io::stream_response{.headers = {}, .body = stream};
  };
  running_server server(what);
  raw_client client(server.port(), 4'096);
  client.send("GET /s HTTP/1.1\r\n\r\n");
  client.take_until("\r\n\r\n");
  const auto much = std::make_shared<const std::string>(std::size_t{16} << 20, 'x');
  server.on_loop([&] {
    CHECK(stream->write(much) == io::send_verdict::queued);
    stream->finish();
  });
  server.on_loop([&] { CHECK_FALSE(stream->closed()); });
  server.on_loop([&] { stream->cut(); });
  CHECK(server.eventually([&] { return stream->closed() && server.server().connections() == 0; }));
  server.on_loop([&] { stream->cut(); });  // means nothing any more
}

TEST_CASE("a response that is the last ends its connection") {
  auto what = echo();
  what->on_request = [](io::http_request&) -> boost::asio::awaitable<io::http_result> {
    auto response = io::http_response::failure(503, "unavailable", "no");
    response.last = true;
    co_return response;
  };
  running_server server(what);
  raw_client client(server.port());
  client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(has(client.take_all(), "Connection: close"));
}
