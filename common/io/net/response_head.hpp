#pragma once
// The bytes before a response's body. Private to common/io/net.

#include <cstddef>
#include <ctime>
#include <optional>
#include <string>

#include "common/io/net/http.hpp"

namespace throughline::io {

struct head_options {
  bool keep_alive = true;
  std::optional<std::size_t> length;  ///< of the body; empty: chunked, or none for 1xx, 204 and 304
  std::time_t now = 0;
};

/// Status line, headers, the blank line. CR, LF and NUL in headers are left out, so that no value can add a header.
std::string response_head(int status, const http_headers& headers, const head_options& options);

/// True for a status whose response never has a body.
bool is_bodiless(int status);

}  // namespace throughline::io
