#pragma once
// What is asked of libpq itself, over whatever the operator's URL says.

#include <expected>
#include <string>

namespace throughline::io {

/// `url` (URI or key=value list) with our parameters in place, as a key=value list. The error is libpq's, one line.
std::expected<std::string, std::string> connection_parameters(const std::string& url,
                                                              const std::string& application_name);

}  // namespace throughline::io
