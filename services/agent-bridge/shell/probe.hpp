#pragma once
// What the bridge counts. Verbs; callable on the loop's thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/model/bridge_order.hpp"
#include "common/ops/metrics.hpp"
#include "services/agent-bridge/core/retry.hpp"

namespace throughline::agent_bridge {

class probe {
 public:
  explicit probe(ops::metrics_registry& metrics);

  void upgrade_answered(int status);  ///< 101 when granted
  void socket_opened() const { sockets_.add(1); }
  void socket_closed() const { sockets_.add(-1); }
  void frame_read(std::size_t bytes) const;
  void frame_unreadable() const { bad_frames_.add(); }
  void event_unknown() const { unknown_events_.add(); }
  void frames_merged(std::uint64_t n) const { merged_.add(static_cast<double>(n)); }
  void handed_over(std::chrono::steady_clock::duration took) const;
  void retried(send_failure why);
  void renewal_sent() const { renewals_.add(); }
  void frame_refused() const { refused_.add(); }
  void frames_skipped(std::uint64_t n) const { skipped_.add(static_cast<double>(n)); }
  void frame_repeated() const { repeated_.add(); }
  void acknowledged() const { acks_.add(); }
  void frames_lost(std::size_t n) const { lost_.add(static_cast<double>(n)); }
  void order_answered(order_outcome outcome);
  void attachments(std::ptrdiff_t change) const { attachments_.add(static_cast<double>(change)); }
  void outbox_bytes(std::ptrdiff_t change) const { outbox_bytes_.add(static_cast<double>(change)); }

 private:
  ops::metrics_registry& metrics_;
  ops::gauge sockets_;
  ops::gauge attachments_;
  ops::gauge outbox_bytes_;
  ops::counter frames_;
  ops::counter frame_bytes_;
  ops::counter bad_frames_;
  ops::counter unknown_events_;
  ops::counter merged_;
  ops::counter refused_;
  ops::counter skipped_;
  ops::counter repeated_;
  ops::counter acks_;
  ops::counter lost_;
  ops::counter renewals_;
  ops::histogram hand_over_seconds_;
};

std::string_view name_of(send_failure why);
std::string_view name_of(order_outcome outcome);

}  // namespace throughline::agent_bridge
