#include <doctest/doctest.h>

#include "common/io/net/http.hpp"
#include "common/io/net/http_server.hpp"
#include "common/io/net/response_head.hpp"

using namespace throughline::io;

TEST_CASE("a target is taken apart and decoded") {
  http_request r;
  REQUIRE(parse_target("/api/v1/a%20b/?x=1&y=a%2Bb+c&flag&&x=2", r));
  CHECK(r.path == "/api/v1/a%20b/");
  CHECK(r.segments == std::vector<std::string>{"api", "v1", "a b", ""});
  CHECK(r.parameter("x") == "1");
  CHECK(r.parameter("y") == "a+b c");
  CHECK(r.parameter("flag") == "");
  CHECK_FALSE(r.parameter("z").has_value());
  REQUIRE(parse_target("/", r));
  CHECK(r.segments.empty());
  CHECK(r.query.empty());
  REQUIRE(parse_target("/a%2Fb", r));
  CHECK(r.segments == std::vector<std::string>{"a/b"});
}

TEST_CASE("an absolute target names its host itself") {
  http_request r;
  r.headers = {{"host", "other"}, {"X-One", "1"}};
  REQUIRE(parse_target("HTTP://h:80/a/b?x=1", r));
  CHECK(r.path == "/a/b");
  CHECK(r.segments == std::vector<std::string>{"a", "b"});
  CHECK(r.parameter("x") == "1");
  CHECK(r.header("Host") == "h:80");
  CHECK(r.headers.size() == 2);
  REQUIRE(parse_target("https://h?x=2", r));
  CHECK(r.path == "/");
  CHECK(r.parameter("x") == "2");
  REQUIRE(parse_target("http://h", r));
  CHECK(r.segments.empty());
}

TEST_CASE("broken targets are refused") {
  http_request r;
  for (const auto* bad : {"", "x", "*", "ftp://h/", "http://", "http:///x", "http://user@h/", "/?q=%", "/?q=%00"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_target(bad, r));
  }
}

TEST_CASE("a segment that cannot be decoded is kept as one that names nothing") {
  for (const auto* bad : {"/%", "/%4", "/%zz", "/a%00b"}) {
    CAPTURE(bad);
    http_request r;
    REQUIRE(parse_target(std::string("/api") + bad + "/x", r));
    CHECK(r.segments == std::vector<std::string>{"api", std::string(1, '\0'), "x"});
  }
}

TEST_CASE("headers are found whatever their case") {
  http_request r;
  r.headers = {{"X-One", "1"}, {"x-one", "2"}};
  CHECK(r.header("x-oNE") == "1");
  CHECK(r.header("x-two").empty());
}

TEST_CASE("no header value can add a header") {
  const auto head = response_head(200, {{"X", "a\r\nSet-Cookie: b"}}, {.length = 0});
  CHECK(head.find("\r\nSet-Cookie") == std::string::npos);
  CHECK(head.find("Content-Length: 0\r\n") != std::string::npos);
  CHECK(response_head(204, {}, {.length = 0}).find("Content-Length") == std::string::npos);
}

TEST_CASE("an error body is JSON whatever the message") {
  const auto response = http_response::failure(400, "bad", "say \"x\\y\"\n");
  CHECK(*response.body == R"({"error":{"code":"bad","message":"say \"x\\y\"\u000a"}})");
}

TEST_CASE("offered protocols") {
  CHECK(offers_protocol("throughline.v2", "throughline.v2"));
  CHECK(offers_protocol("a,\t throughline.v2 , b", "throughline.v2"));
  CHECK_FALSE(offers_protocol("throughline.v22", "throughline.v2"));
  CHECK_FALSE(offers_protocol("", "throughline.v2"));
}

TEST_CASE("a stream's queue refuses above its bound and tells when it is empty again") {
  event_stream stream(10, 2);
  int writable = 0;
  stream.on_writable([&] { ++writable; });
  const auto chunk = std::make_shared<const std::string>(20, 'x');
  CHECK(stream.write(chunk) == send_verdict::queued);  // one of any size fits into an empty queue
  CHECK(stream.write(chunk) == send_verdict::full);
  stream.taken_written(stream.take());
  CHECK(writable == 1);
  CHECK(stream.queued_bytes() == 0);
  stream.finish();
  CHECK(stream.write(chunk) == send_verdict::closed);
  bool closed = false;
  stream.on_closed([&] { closed = true; });
  CHECK_FALSE(closed);
  stream.close();
  CHECK(closed);
}
