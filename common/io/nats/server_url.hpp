#pragma once
// One address of a NATS URL list. nats.c takes the user and the password of a URL as they stand; here they are
// percent-decoded, so that any password can be written. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace throughline::io::detail {

struct server_url {
  std::string address;   ///< scheme, host and port: what nats.c is given, and what may be shown
  std::string user;      ///< decoded; a token when there is no password
  std::string password;  ///< decoded
  bool has_password = false;
  bool tls = false;
};

/// A comma list; blanks and empty parts are left out.
std::vector<server_url> parse_server_urls(std::string_view list);

}  // namespace throughline::io::detail
