#pragma once
// Key requests on their way to state-sync, as in requests.hpp.

#include <string>
#include <string_view>

#include "common/base/instant.hpp"
#include "common/base/result.hpp"
#include "common/model/key_request.hpp"

namespace throughline::codec {

/// What arrives on tl1.keys. `budget`: how long the sender goes on waiting.
struct key_message {
  key_request what;
  millis budget{0};
};
std::string encode(const key_request& request, millis budget);
result<key_message> decode_key_request(std::string_view message);

/// As for session requests: the key's hash, and the id made for a new key, are not part.
std::string fingerprint_of(const key_request& request);

}  // namespace throughline::codec
