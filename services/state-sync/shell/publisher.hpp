#pragma once
// Carries out what a committed batch leaves to do, in this order: events, orders, notices, replies (G1).

#include <cstdint>
#include <string>
#include <vector>

#include "common/io/nats/nats_link.hpp"
#include "services/state-sync/shell/committer.hpp"
#include "services/state-sync/shell/order_desk.hpp"
#include "services/state-sync/shell/probe.hpp"
#include "services/state-sync/shell/reply_desk.hpp"

namespace throughline::state_sync {

/// An event as it stands in the log.
struct stored_event {
  session_id session;
  std::string body;
};

class publisher {
 public:
  publisher(io::nats_link& link, order_desk& orders, reply_desk& replies, const probe& counts)
      : link_(link), orders_(orders), replies_(replies), probe_(counts) {}

  /// Returns the sessions whose access has changed: their lists are to be read and given to `access_changed`.
  std::vector<session_id> carry_out(committed_batch&& batch, std::uint64_t epoch);
  void access_changed(const session_id& session, const access_list& access, std::uint64_t epoch);
  /// Publishes again what a dead owner may have committed and not published; gateways drop what they have.
  void announce(const std::vector<stored_event>& events);

 private:
  void publish(const std::vector<rendered_event>& events);

  io::nats_link& link_;
  order_desk& orders_;
  reply_desk& replies_;
  const probe& probe_;
};

}  // namespace throughline::state_sync
