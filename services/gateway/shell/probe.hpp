#pragma once
// What the gateway counts, as verbs.

#include "common/ops/metrics.hpp"

namespace throughline::gateway {

class probe {
 public:
  explicit probe(ops::metrics_registry& registry);

  void request_answered(int status, double seconds) const;
  void upgrade_refused(int status) const;
  void socket_opened() const { sockets_.add(1); }
  void socket_ended(int code) const;
  void session_watched(double n) const { watched_.set(n); }
  void snapshot_read() const { snapshots_.add(); }
  void range_read() const { ranges_.add(); }
  void heads_checked(double sessions) const { heads_.add(sessions); }
  void heads_unanswered(double sessions) const { heads_failed_.add(sessions); }
  void events_sent(double frames) const { frames_.add(frames); }
  void states_sent(double frames) const { states_.add(frames); }
  void viewer_lagged() const { laggards_.add(); }
  void loop_late(double seconds) const { lag_.set(seconds); }
  void turned_away(const char* why) const;
  void bad_message() const { bad_messages_.add(); }
  void state_sync_asked_again() const { repeats_.add(); }

 private:
  ops::metrics_registry& registry_;
  ops::histogram seconds_;
  ops::gauge sockets_;
  ops::gauge watched_;
  ops::counter snapshots_;
  ops::counter ranges_;
  ops::counter heads_;
  ops::counter heads_failed_;
  ops::counter frames_;
  ops::counter states_;
  ops::counter laggards_;
  ops::gauge lag_;
  ops::counter bad_messages_;
  ops::counter repeats_;
};

}  // namespace throughline::gateway
