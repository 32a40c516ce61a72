#pragma once
// From a request to the user behind it (design 5.2). Loop's thread.

#include <boost/asio/awaitable.hpp>

#include "common/base/result.hpp"
#include "common/io/net/http.hpp"
#include "services/gateway/core/identity.hpp"
#include "services/gateway/core/key_cache.hpp"
#include "services/gateway/shell/jwt.hpp"
#include "services/gateway/shell/state_sync_link.hpp"

namespace throughline::gateway {

enum class request_kind { plain, stream, socket };

class identification {
 public:
  identification(jwt_verifier tokens, origin_list allowed, state_sync_link& link)
      : tokens_(std::move(tokens)), allowed_(std::move(allowed)), link_(link) {}

  /// Errors: `unauthorized`; for an API key also `busy`, `unavailable`.
  boost::asio::awaitable<result<identity>> of_request(const io::http_request& request, request_kind kind);
  boost::asio::awaitable<result<identity>> of_token(std::string token);

  /// From now on a key with this hash is nobody's.
  void key_revoked(const std::string& key_hash);
  bool was_revoked(const identity& who) const;
  /// True iff the database says that there is no such key.
  boost::asio::awaitable<bool> key_is_gone(std::string key_hash);

 private:
  jwt_verifier tokens_;
  origin_list allowed_;
  state_sync_link& link_;
  key_cache keys_;
};

}  // namespace throughline::gateway
