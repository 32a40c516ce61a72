#pragma once
// Asks what `renewals` says is due, and tells attachments what owners say of them. Loop's thread.

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include <boost/asio/steady_timer.hpp>

#include "common/io/net/event_loop.hpp"
#include "services/agent-bridge/core/attachment_messages.hpp"
#include "services/agent-bridge/core/renewals.hpp"
#include "services/agent-bridge/shell/owner_link.hpp"
#include "services/agent-bridge/shell/probe.hpp"

namespace throughline::agent_bridge {

class renewer {
 public:
  using tell = std::function<void(const not_renewed&)>;
  renewer(io::event_loop& loop, owner_link& owner, probe& counts, tell said);

  /// Whether it is to be renewed from now on.
  void renew(const attachment_identity& whose, bool wanted);
  void wire_restored();

 private:
  void go_on();
  void ask(const renewals::attempt& what);
  void answered(shard_number shard, owner_link::outcome<codec::reply_message> answer);
  void arm();

  owner_link& owner_;
  probe& counts_;
  tell said_;
  renewals core_;
  std::map<shard_number, io::request_handle> asked_;
  boost::asio::steady_timer timer_;
  std::optional<moment> armed_;  ///< what the timer is set to
  std::shared_ptr<const renewer*> alive_;
};

}  // namespace throughline::agent_bridge
