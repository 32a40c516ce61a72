#pragma once
// The browser's files, embedded at build time (services/gateway/web), with ETag and a strict content-security policy.

#include <optional>
#include <span>
#include <string_view>

#include "common/io/net/http.hpp"

namespace throughline::gateway {

struct web_page {
  std::string_view path;  ///< e.g. /app.js
  std::string_view type;
  std::string_view etag;  ///< with its quotes
  std::string_view bytes;
};

/// Generated from the folder, in order of path.
std::span<const web_page> embedded_pages();

/// The answer for a path that is one of them (`/` is /index.html); empty for any other.
std::optional<io::http_response> serve_page(const io::http_request& request);

}  // namespace throughline::gateway
