#pragma once
// What changes a user's API keys (design 5.2). They belong to no session: any state-sync decides, and the database
// alone orders what happens at once. The answer is an `answer`.

#include <string>
#include <variant>

#include "common/model/request.hpp"

namespace throughline {

struct issue_key {
  caller by;
  std::string key;  ///< the key's id, made by the gateway
  std::string name;
  std::string key_hash;  ///< SHA-256 of the key, hex; the key itself never leaves the gateway
};
struct revoke_key {
  caller by;
  std::string key;
};

using key_request = std::variant<issue_key, revoke_key>;

}  // namespace throughline
