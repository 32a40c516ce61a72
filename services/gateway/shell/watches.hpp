#pragma once
// All sessions watched on this gateway, and their head checks (design 3.7). Loop's thread.

#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "services/gateway/core/head_schedule.hpp"
#include "services/gateway/shell/watched_session.hpp"

namespace throughline::gateway {

class watches {
 public:
  /// All of them outlive this.
  watches(io::event_loop& loop, io::nats_link& nats, state_sync_link& state_sync, const probe& counts,
          load_meter& load);

  /// The watch of this session, begun if there is none. Forgotten when its last viewer has left.
  std::shared_ptr<watched_session> of(const session_id& session);

  /// Whether one more viewer of this session shares what is here or on its way.
  bool has_state(const session_id& session) const;

  bool is_cut_off() const { return state_sync_.is_cut_off(); }

  void reconnected();                        ///< NATS is there again: everything may have been missed
  void dropped(const std::string& subject);  ///< messages were lost on this side

 private:
  boost::asio::awaitable<void> tick();
  boost::asio::awaitable<void> check(std::vector<session_id> sessions);
  void changed(watched_session& of);

  io::event_loop& loop_;
  io::nats_link& nats_;
  state_sync_link& state_sync_;
  const probe& counts_;
  load_meter& load_;
  std::unordered_map<session_id, std::shared_ptr<watched_session>> sessions_;
  std::set<session_id> waiting_;  ///< those with a deadline, and those that nobody may watch any more
  head_schedule schedule_;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  ///< sessions in coroutines may outlive this
};

}  // namespace throughline::gateway
