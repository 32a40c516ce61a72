#pragma once
// The agents' front: who may attach, which attachments there are, and the orders of state-sync to them. Loop's thread.

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "common/base/id.hpp"
#include "common/base/ulid.hpp"
#include "common/io/nats/nats_link.hpp"
#include "common/io/net/event_loop.hpp"
#include "common/io/net/http_server.hpp"
#include "services/agent-bridge/core/nats_outage.hpp"
#include "services/agent-bridge/shell/agent_session.hpp"
#include "services/agent-bridge/shell/door.hpp"
#include "services/agent-bridge/shell/owner_link.hpp"
#include "services/agent-bridge/shell/probe.hpp"
#include "services/agent-bridge/shell/renewer.hpp"

namespace throughline::agent_bridge {

struct bridge_settings {
  std::size_t frame_bytes_max = std::size_t{64} << 20;
  std::size_t entry_bytes_max = std::size_t{8} << 20;
  std::size_t upgrades_max = 512;  ///< under way at once; then 503
};

class bridge final : public io::request_handler {
 public:
  bridge(io::event_loop& loop, io::nats_link& link, probe& counts, bridge_settings settings);
  ~bridge() override;

  boost::asio::awaitable<io::http_result> serve(io::http_request& request) override;
  boost::asio::awaitable<io::upgrade_result> upgrade(io::http_request& request) override;

  void wire_lost();      ///< NATS is gone; one outage at a time
  void wire_restored();  ///< NATS is there again
  /// Refuses new agents; tells the others to come again elsewhere (1001), one after the other, hears each until it has
  /// read that, hands over what it said, and detaches. True when all was done by `deadline`.
  boost::asio::awaitable<bool> drain(std::chrono::steady_clock::time_point deadline);
  std::size_t attachments() const { return sessions_.size(); }
  std::size_t upgrades_under_way() const { return upgrades_under_way_; }

 private:
  using steady = std::chrono::steady_clock;
  boost::asio::awaitable<io::upgrade_result> admit_and_attach(io::http_request& request);
  boost::asio::awaitable<io::upgrade_result> attach_session(admission who, steady::time_point deadline);
  io::upgrade_result grant(const std::shared_ptr<agent_session>& session, std::uint64_t epoch, const attached& how);
  void take_order(io::message asked);
  void not_renewed(const throughline::not_renewed& what);
  boost::asio::awaitable<void> outlast_outage();
  std::vector<std::shared_ptr<agent_session>> all_sessions() const;
  boost::asio::awaitable<void> wait_finished(steady::time_point until);

  io::event_loop& loop_;
  io::nats_link& link_;
  probe& counts_;
  bridge_settings settings_;
  owner_link owner_;
  door door_;
  renewer renewer_;
  id_source ids_;
  bridge_id id_;
  std::unordered_map<attachment_id, std::shared_ptr<agent_session>> sessions_;
  std::size_t upgrades_under_way_ = 0;
  bool draining_ = false;
  nats_outage outage_{steady::now()};
  bool outlasting_ = false;
  io::subscription orders_;
};

}  // namespace throughline::agent_bridge
