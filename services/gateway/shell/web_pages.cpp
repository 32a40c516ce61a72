#include "services/gateway/shell/web_pages.hpp"

#include <algorithm>
#include <string>

#include "services/gateway/core/parameters.hpp"

namespace throughline::gateway {

namespace {

// Scripts, styles and connections of this origin only; no frames, no plugins, no inline code.
constexpr const char* content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

io::http_headers headers_of(const web_page& page) {
  return {{"Content-Type", std::string(page.type)},
          {"ETag", std::string(page.etag)},
          {"Cache-Control", "no-cache"},
          {"Content-Security-Policy", content_security_policy},
          {"X-Content-Type-Options", "nosniff"},
          {"Referrer-Policy", "no-referrer"},
          {"Cross-Origin-Opener-Policy", "same-origin"},
          {"Cross-Origin-Resource-Policy", "same-origin"}};
}

}  // namespace

std::optional<io::http_response> serve_page(const io::http_request& request) {
  const std::string_view path = request.path == "/" ? std::string_view("/index.html") : request.path;
  const auto pages = embedded_pages();
  const auto found = std::ranges::find(pages, path, &web_page::path);
  if (found == pages.end()) return std::nullopt;
  if (request.method != "GET" && request.method != "HEAD") {
    auto refused = io::http_response::failure(405, "method_not_allowed", "only GET and HEAD are allowed here");
    refused.headers.emplace_back("Allow", "GET, HEAD");
    return refused;
  }
  io::http_response response{.status = 200, .headers = headers_of(*found), .body = nullptr};
  if (matches_etag(request.header("If-None-Match"), found->etag)) {
    response.status = 304;
  } else {
    response.body = std::make_shared<const std::string>(found->bytes);
  }
  return response;
}

}  // namespace throughline::gateway
