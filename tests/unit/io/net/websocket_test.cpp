#include <deque>

#include <doctest/doctest.h>

#include "tests/unit/io/net/raw_client.hpp"
#include "tests/unit/io/net/running_server.hpp"

using namespace throughline;
using std::chrono::milliseconds;
using throughline::testing::behaviour;
using throughline::testing::raw_client;
using throughline::testing::running_server;

namespace {

/// Accepts every upgrade; reads when `reading`, echoes text when `echoing`. Touched on the loop's thread.
struct acceptor {
  io::socket_limits limits;
  std::string subprotocol;
  bool reading = true;
  bool echoing = true;
  std::shared_ptr<io::websocket> socket;
  std::optional<io::socket_end> ended;
  std::deque<io::socket_frame> frames;
  bool failed = false;

  boost::asio::awaitable<void> run(std::shared_ptr<io::websocket> opened) {
    socket = opened;
    socket->on_ended([this](io::socket_end how) { ended = how; });
    while (!ended) {
      if (!reading) {
        co_await io::sleep_for(milliseconds(5));
        continue;
      }
      auto got = co_await socket->read();
      if (!got) break;
      if (echoing && got->text) (void)socket->send(std::make_shared<const std::string>(got->data));
      frames.push_back(std::move(*got));
    }
    while (!ended) co_await io::sleep_for(milliseconds(5));
    socket.reset();  // it must not outlive the loop
  }

  std::shared_ptr<behaviour> handler() {
    auto what = std::make_shared<behaviour>();
    what->on_upgrade = [this](io::http_request&) -> boost::asio::awaitable<io::upgrade_result> {
      co_return io::accept_socket{.subprotocol = subprotocol,
                                  .limits = limits,
                                  .run = [this](std::shared_ptr<io::websocket> opened) { return run(opened); },
                                  .failed = [this] { failed = true; }};
    };
    return what;
  }
};

std::shared_ptr<const std::string> text(std::string of) {
  return std::make_shared<const std::string>(std::move(of));
}

}  // namespace

TEST_CASE("frames come and go, fragments are joined, pings are answered") {
  acceptor a;
  a.subprotocol = "throughline.v2";
  running_server server(a.handler());
  raw_client client(server.port());
  const auto head = client.upgrade("/", "Sec-WebSocket-Protocol: throughline.v2\r\n");
  CHECK(head.starts_with("HTTP/1.1 101"));
  CHECK(head.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != std::string::npos);
  CHECK(head.find("throughline.v2") != std::string::npos);
  CHECK(head.find("\r\nServer: throughline\r\n") != std::string::npos);  // and no library's name
  client.send_text("hello");
  CHECK(client.next_data()->payload == "hello");
  client.send(raw_client::frame(1, "ab", false) + raw_client::frame(9, "p") + raw_client::frame(0, "cd"));
  CHECK(client.next_frame()->opcode == 10);
  CHECK(client.next_data()->payload == "abcd");
  const std::string large(300'000, 'x');
  client.send_text(large);
  CHECK(client.next_data()->payload == large);  // in one frame
  client.send(raw_client::frame(2, "bin"));
  CHECK(server.eventually([&] { return a.frames.size() == 4 && !a.frames.back().text; }));
  client.send(raw_client::frame(8, "\x03\xe8"));
  CHECK(client.next_frame()->close_code() == 1000);
  CHECK(server.eventually([&] { return a.ended.has_value(); }));
  CHECK(a.ended->why == io::socket_end_reason::closed_by_peer);
  CHECK(a.ended->code == 1000);
  CHECK(server.eventually([&] { return server.server().connections() == 0; }));
}

TEST_CASE("a message above the limit closes with 1009 and a reason") {
  acceptor a;
  a.limits.message_bytes_max = 1000;
  running_server server(a.handler());
  raw_client client(server.port());
  client.upgrade();
  client.send_text(std::string(1000, 'x'));
  CHECK(client.next_data()->payload.size() == 1000);
  client.send_text(std::string(200'000, 'x'));
  const auto close = client.next_data();
  REQUIRE(close);
  CHECK(close->opcode == 8);
  CHECK(close->close_code() == 1009);
  CHECK(close->close_reason() == "message above 1000 bytes");
}

TEST_CASE("invalid UTF-8 closes with 1007, broken framing with 1002") {
  acceptor a;
  running_server server(a.handler());
  raw_client client(server.port());
  client.upgrade();
  client.send_text("\xc3\x28");
  CHECK(client.next_data()->close_code() == 1007);
  client.end();
  CHECK(server.eventually([&] { return a.ended.has_value(); }));
  CHECK(a.ended->why == io::socket_end_reason::invalid_utf8);

  acceptor b;
  running_server other(b.handler());
  raw_client broken(other.port());
  broken.upgrade();
  broken.send(std::string("\xf3\x00", 2));  // reserved bits, no mask
  CHECK(broken.next_data()->close_code() == 1002);
  broken.end();
  CHECK(other.eventually([&] { return b.ended.has_value(); }));
  CHECK(b.ended->why == io::socket_end_reason::protocol_error);
}

TEST_CASE("close_and_hear: the peer learns of it at once, and what it says until it has read that still arrives") {
  acceptor a;
  a.echoing = false;
  running_server server(a.handler());
  raw_client client(server.port());
  client.upgrade();
  CHECK(server.eventually([&] { return a.socket != nullptr; }));
  client.send_text("before");
  server.on_loop([&] {
    CHECK(a.socket->send(text("last")) == io::send_verdict::queued);
    a.socket->close_and_hear(1001, "going away");
    CHECK(a.socket->send(text("late")) == io::send_verdict::closed);
  });
  CHECK(client.next_data()->payload == "last");
  const auto close = client.next_data();
  CHECK(close->close_code() == 1001);
  CHECK(close->close_reason() == "going away");
  client.send_text("said before it knew");
  client.send(raw_client::frame(9, "p") + raw_client::frame(1, "and ") + raw_client::frame(1, "this"));
  client.send(raw_client::frame(8, "\x03\xe9"));
  CHECK(client.take_all().empty());  // no pong, no second close frame
  CHECK(server.eventually([&] { return a.ended.has_value(); }));
  CHECK(a.ended->why == io::socket_end_reason::closed_by_us);
  CHECK(a.ended->code == 1001);
  REQUIRE(a.frames.size() == 4);
  CHECK(a.frames[1].data == "said before it knew");
  CHECK(a.frames[3].data == "this");
  CHECK(server.eventually([&] { return server.server().connections() == 0; }));
}

TEST_CASE("close_and_hear of a peer that never answers, or that is gone, ends in time") {
  acceptor a;
  a.limits.close_wait = milliseconds(200);
  running_server server(a.handler());
  raw_client client(server.port());
  client.upgrade();
  CHECK(server.eventually([&] { return a.socket != nullptr; }));
  server.on_loop([&] { a.socket->close_and_hear(1001, ""); });
  CHECK(client.next_data()->close_code() == 1001);
  CHECK(server.eventually([&] { return a.ended.has_value(); }));

  acceptor b;
  running_server other(b.handler());
  raw_client gone(other.port());
  gone.upgrade();
  CHECK(other.eventually([&] { return b.socket != nullptr; }));
  other.on_loop([&] { b.socket->close_and_hear(1001, ""); });
  gone.end();
  CHECK(other.eventually([&] { return b.ended.has_value(); }));
}

TEST_CASE("sends keep their order, each is settled, and close comes behind them") {
  acceptor a;
  running_server server(a.handler());
  raw_client client(server.port());
  client.upgrade();
  CHECK(server.eventually([&] { return a.socket != nullptr; }));
  int written = 0;
  server.on_loop([&] {
    for (int i = 0; i < 200; ++i) {
      CHECK(a.socket->send(text(std::to_string(i)), [&](bool was) { written += was ? 1 : 0; }) ==
            io::send_verdict::queued);
    }
    a.socket->close(4001, "newer");
    CHECK(a.socket->send(text("late")) == io::send_verdict::closed);
  });
  for (int i = 0; i < 200; ++i) CHECK(client.next_data()->payload == std::to_string(i));
  const auto close = client.next_data();
  CHECK(close->close_code() == 4001);
  CHECK(close->close_reason() == "newer");
  client.send(raw_client::frame(8, "\x0f\xa1"));
  CHECK(server.eventually([&] { return a.ended.has_value(); }));
  CHECK(a.ended->why == io::socket_end_reason::closed_by_us);
  CHECK(written == 200);
}

TEST_CASE("a reader that is slow meets the bound, and is told when there is room again") {
  acceptor a;
  a.limits.queue_bytes_max = 1 << 20;
  a.limits.queue_frames_max = 256;
  running_server server(a.handler());
  raw_client client(server.port(), 4096);
  client.upgrade();
  CHECK(server.eventually([&] { return a.socket != nullptr; }));
  const auto chunk = text(std::string(256 << 10, 'x'));
  std::size_t accepted = 0;
  bool writable = false;
  CHECK(server.eventually([&] {
    writable = false;
    a.socket->on_writable([&] { writable = true; });
    while (a.socket->send(chunk) == io::send_verdict::queued) ++accepted;
    return a.socket->queued_bytes() >= std::size_t{1} << 20;
  }));
  CHECK(a.socket->queued_frames() <= 5);
  std::size_t got = 0;
  while (got < accepted && client.next_data()) ++got;
  CHECK(got == accepted);
  CHECK(server.eventually([&] { return writable; }));
}

TEST_CASE("what was not written when the connection ends is said to be so") {
  acceptor a;
  running_server server(a.handler());
  std::optional<bool> last;
  {
    raw_client client(server.port(), 4096);
    client.upgrade();
    CHECK(server.eventually([&] { return a.socket != nullptr; }));
    server.on_loop([&] {
      (void)a.socket->send(text(std::string(16 << 20, 'x')));
      a.socket->close(1000, "");
    });
    server.on_loop(
        [&] { CHECK(a.socket->send(text("late"), [&](bool was) { last = was; }) == io::send_verdict::closed); });
  }
  CHECK(server.eventually([&] { return a.ended.has_value(); }));
  CHECK_FALSE(last.has_value());

  acceptor b;
  running_server other(b.handler());
  {
    raw_client client(other.port(), 4096);
    client.upgrade();
    CHECK(other.eventually([&] { return b.socket != nullptr; }));
    other.on_loop([&] { (void)b.socket->send(text(std::string(16 << 20, 'x')), [&](bool was) { last = was; }); });
  }
  CHECK(other.eventually([&] { return last.has_value(); }));
  CHECK_FALSE(*last);
}

TEST_CASE("a peer without a sign of life is cut; any byte is one") {
  acceptor a;
  a.limits.ping_every = milliseconds(50);
  a.limits.idle_max = milliseconds(400);
  running_server server(a.handler());
  raw_client client(server.port());
  client.upgrade();
  const auto started = std::chrono::steady_clock::now();
  auto head = raw_client::frame(1, std::string(100, 'x'));
  for (int i = 0; i < 6; ++i) {  // a frame that trickles: no whole message, no pong
    client.send(head.substr(static_cast<std::size_t>(i) * 10, 10));
    std::this_thread::sleep_for(milliseconds(150));
  }
  CHECK_FALSE(a.ended.has_value());
  CHECK(server.eventually([&] { return a.ended.has_value(); }));
  CHECK(a.ended->why == io::socket_end_reason::idle);
  CHECK(std::chrono::steady_clock::now() - started > milliseconds(900));
}

TEST_CASE("the idle clock stands still while nobody reads") {
  acceptor a;
  a.limits.ping_every = milliseconds(30);
  a.limits.idle_max = milliseconds(60);
  a.reading = false;
  running_server server(a.handler());
  raw_client client(server.port());
  client.upgrade();
  for (int pings = 0; pings < 8; ++pings) CHECK(client.next_frame()->opcode == 9);  // four times idle_max
  server.on_loop([&] {
    CHECK_FALSE(a.ended.has_value());
    a.reading = true;
  });
  CHECK(server.eventually([&] { return a.ended.has_value(); }));
}

TEST_CASE("a peer that never answers a close is cut in time") {
  acceptor a;
  a.limits.close_wait = milliseconds(100);
  running_server server(a.handler());
  raw_client client(server.port());
  client.upgrade();
  CHECK(server.eventually([&] { return a.socket != nullptr; }));
  server.on_loop([&] { a.socket->close(1001, "going away"); });
  CHECK(client.next_data()->close_code() == 1001);
  CHECK(server.eventually([&] { return a.ended.has_value(); }));
  CHECK(a.ended->why == io::socket_end_reason::closed_by_us);
  CHECK(server.eventually([&] { return server.server().connections() == 0; }));
}

TEST_CASE("an upgrade can be refused, or granted only to say why not") {
  auto what = std::make_shared<behaviour>();
  what->on_upgrade = [](io::http_request& r) -> boost::asio::awaitable<io::upgrade_result> {
    if (r.parameter("v2")) co_return io::accept_and_close{"throughline.v2", 4503, R"({"after_ms":5})"};
    co_return io::http_response::failure(404, "not_found", "no");
  };
  running_server server(what);
  raw_client plain(server.port());
  CHECK(plain.upgrade().starts_with("HTTP/1.1 404"));
  raw_client v2(server.port());
  CHECK(v2.upgrade("/?v2=1").starts_with("HTTP/1.1 101"));
  const auto close = v2.next_frame();
  CHECK(close->close_code() == 4503);
  CHECK(close->close_reason() == R"({"after_ms":5})");
  raw_client old(server.port());
  old.send(
      "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
      "Sec-WebSocket-Version: 8\r\n\r\n");
  CHECK(old.response().starts_with("HTTP/1.1 426"));
  raw_client half(server.port());
  half.send("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  CHECK(half.response().starts_with("HTTP/1.1 400"));
}
