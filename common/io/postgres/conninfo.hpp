#pragma once
// What is asked of libpq itself, over whatever the operator's URL says.

#include <expected>
#include <string>
#include <vector>

namespace throughline::io {

/// `url` (URI or key=value list) with our parameters in place: a key=value list per host, in order. The error is one
/// line without the URL.
std::expected<std::vector<std::string>, std::string> connection_parameters(const std::string& url,
                                                                           const std::string& application_name);

}  // namespace throughline::io
