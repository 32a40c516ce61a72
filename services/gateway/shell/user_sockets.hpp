#pragma once
// All user sockets of this gateway: their number per user, their tokens' end, those that are stuck, and the drain.
// Loop's thread.

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include <boost/asio/awaitable.hpp>

#include "common/io/net/http_server.hpp"
#include "services/gateway/shell/identification.hpp"
#include "services/gateway/shell/user_commands.hpp"
#include "services/gateway/shell/user_socket.hpp"
#include "services/gateway/shell/watches.hpp"

namespace throughline::gateway {

class user_sockets {
 public:
  static constexpr std::size_t per_user_max = 1'000;

  user_sockets(io::event_loop& loop, watches& sessions, identification& identify, user_commands& commands,
               const probe& counts, load_meter& load, std::size_t frame_bytes_max);

  boost::asio::awaitable<io::upgrade_result> upgrade(const io::http_request& request);

  void key_revoked(const std::string& key_hash);
  /// The hashes of the keys in use here.
  void add_keys(std::unordered_set<std::string>& to) const;
  std::size_t size() const { return sockets_.size(); }
  /// Tells v2 clients when to come back, spread over `spread`; closes all that are open now with 1001 and this reason,
  /// each at its time, and returns then.
  boost::asio::awaitable<void> send_away(millis spread, std::string reason);
  /// The same, and refuses new ones from now on.
  boost::asio::awaitable<void> drain(millis spread);

 private:
  struct refusal {
    error what;
    std::optional<millis> after;  ///< of one that may come back; absent: as long as this gateway finds right
  };
  using checked = std::expected<std::shared_ptr<user_socket>, refusal>;

  boost::asio::awaitable<checked> check(const io::http_request& request, wire_version version);
  static std::unexpected<refusal> refused(error what, std::optional<millis> after = std::nullopt);
  io::upgrade_result refuse(const refusal& why, wire_version version);
  io::upgrade_result accept(std::shared_ptr<user_socket> socket);
  boost::asio::awaitable<void> sweep();
  void forget(const std::shared_ptr<user_socket>& socket);

  io::event_loop& loop_;
  watches& sessions_;
  identification& identify_;
  user_commands& commands_;
  const probe& counts_;
  load_meter& load_;
  std::size_t frame_bytes_max_;
  std::unordered_set<std::shared_ptr<user_socket>> sockets_;
  std::unordered_map<user_id, std::size_t> per_user_;
  bool draining_ = false;
};

}  // namespace throughline::gateway
