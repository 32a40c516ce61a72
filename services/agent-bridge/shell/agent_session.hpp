#pragma once
// One attachment at work: its core, its socket, its timer and what it asks of its owner. Made before the attach is
// sent, so that orders which follow the attach at once find it; ends when the core has finished. Loop's thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "common/io/nats/message.hpp"
#include "common/io/net/event_loop.hpp"
#include "common/io/net/websocket.hpp"
#include "services/agent-bridge/core/attachment.hpp"
#include "services/agent-bridge/shell/owner_link.hpp"
#include "services/agent-bridge/shell/probe.hpp"

namespace throughline::agent_bridge {

class agent_session : public std::enable_shared_from_this<agent_session> {
 public:
  struct environment {
    io::event_loop& loop;
    owner_link& owner;
    probe& counts;
    std::size_t entry_bytes_max = std::size_t{8} << 20;
    std::function<void(const attachment_identity&, bool)> on_renewal;  ///< whether it is to be renewed from now on
    std::function<void(const attachment_id&)> on_finished;
  };

  agent_session(environment with, attachment_identity who);
  ~agent_session();

  const attachment_identity& identity() const { return core_.identity(); }
  bool stays() const { return core_.stays(); }

  /// `agent_seq`: how far the instance is committed (v2).
  void attach_committed(std::uint64_t epoch, std::uint64_t agent_seq);
  /// Serves the socket until it has ended.
  boost::asio::awaitable<void> run(std::shared_ptr<io::websocket> socket);
  /// There will be no socket, but there may be an attachment.
  void upgrade_failed();
  void order(io::message asked, bridge_order what);
  void drain() { apply(input::drain{}); }
  void drain_over() { apply(input::drain_over{}); }
  void wire_restored() { apply(input::wire_restored{}); }
  void not_renewed(renewal_fault why) { apply(input::not_renewed{why}); }

 private:
  void apply(attachment_input what);
  void perform(effect::ask_owner& e);
  void perform(effect::resume& e);
  void perform(effect::write_command& e);
  void perform(effect::acknowledge& e);
  void perform(effect::answer_order& e);
  void perform(effect::complain& e);
  void perform(effect::close_socket& e);
  void perform(effect::frame_refused& e);
  void perform(effect::frames_skipped& e);
  void perform(effect::frame_repeated& e);
  void perform(effect::finished& e);
  void take(const io::socket_frame& frame);
  void send(std::string text);
  void close(const effect::close_socket& how);
  void write(const command_id& command, const std::shared_ptr<const std::string>& text);
  void settle_unwritten();
  void socket_ended(io::socket_end how);
  void arm();
  void account();
  void note_renewal();

  environment with_;
  attachment core_;
  bool committed_ = false;
  bool renewed_ = false;  ///< as `on_renewal` was told
  std::shared_ptr<io::websocket> socket_;
  bool socket_over_ = false;
  std::string first_words_;                                                           ///< of a v2 socket
  std::vector<std::pair<command_id, std::shared_ptr<const std::string>>> unwritten_;  ///< until there is a socket
  std::optional<effect::close_socket> close_on_open_;
  std::array<io::request_handle, 2> asked_;
  std::map<ticket, io::message> orders_;  ///< not answered yet
  ticket last_ticket_ = 0;
  boost::asio::steady_timer timer_;
  std::optional<moment> armed_;  ///< what the timer is set to
  io::notifier stirred_;         ///< room in the outbox, reading over, or the socket over
  std::size_t accounted_bytes_ = 0;
  std::uint64_t accounted_merges_ = 0;
};

}  // namespace throughline::agent_bridge
