#include "services/gateway/shell/web_pages.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::gateway;

namespace {

io::http_request get(std::string path) {
  io::http_request request;
  request.method = "GET";
  request.path = std::move(path);
  return request;
}

std::string header(const io::http_response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace

TEST_CASE("the page is at / with a policy that allows nothing inline, and is not sent twice") {
  const auto page = serve_page(get("/"));
  REQUIRE(page);
  CHECK(page->status == 200);
  CHECK(header(*page, "Content-Type") == "text/html; charset=utf-8");
  const auto policy = header(*page, "Content-Security-Policy");
  CHECK(policy.find("default-src 'none'") != std::string::npos);
  CHECK(policy.find("unsafe") == std::string::npos);
  CHECK(page->body->find("<!doctype html>") == 0);

  auto again = get("/");
  again.headers.emplace_back("if-none-match", header(*page, "ETag"));
  CHECK(serve_page(again)->status == 304);
}

TEST_CASE("only what is embedded is there") {
  CHECK(serve_page(get("/app.js")));
  CHECK_FALSE(serve_page(get("/nothing.js")));
  CHECK_FALSE(serve_page(get("/../main.cpp")));
  auto post = get("/");
  post.method = "POST";
  CHECK(serve_page(post)->status == 405);
}
