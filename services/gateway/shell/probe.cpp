#include "services/gateway/shell/probe.hpp"

#include <string>

namespace throughline::gateway {

probe::probe(ops::metrics_registry& registry)
    : registry_(registry),
      seconds_(registry.make_histogram("throughline_gateway_request_seconds", "Time to answer an HTTP request",
                                       ops::latency_bounds())),
      sockets_(registry.make_gauge("throughline_gateway_sockets", "User sockets open")),
      watched_(registry.make_gauge("throughline_gateway_sessions_watched", "Sessions with a viewer")),
      snapshots_(registry.make_counter("throughline_gateway_snapshot_reads_total", "Full states read")),
      ranges_(registry.make_counter("throughline_gateway_range_reads_total", "Holes fetched")),
      heads_(registry.make_counter("throughline_gateway_heads_checked_total", "Sessions compared with the database")),
      heads_failed_(registry.make_counter("throughline_gateway_head_checks_failed_total",
                                          "Sessions whose comparison with the database was not answered")),
      frames_(registry.make_counter("throughline_gateway_event_frames_total", "Event frames given to viewers")),
      states_(registry.make_counter("throughline_gateway_state_frames_total", "Full states given to viewers")),
      laggards_(registry.make_counter("throughline_gateway_viewers_lagged_total", "Viewers whose queue was full")),
      lag_(registry.make_gauge("throughline_gateway_loop_lag_seconds", "How late the event loop does what is due")),
      bad_messages_(registry.make_counter("throughline_gateway_bad_messages_total", "Undecodable NATS messages")),
      repeats_(registry.make_counter("throughline_gateway_repeats_total", "Requests to state-sync asked again")) {}

void probe::request_answered(int status, double seconds) const {
  registry_
      .make_counter("throughline_gateway_requests_total", "HTTP requests answered",
                    {{"status", std::to_string(status)}})
      .add();
  seconds_.observe(seconds);
}

void probe::upgrade_refused(int status) const {
  registry_
      .make_counter("throughline_gateway_upgrades_refused_total", "User sockets refused",
                    {{"status", std::to_string(status)}})
      .add();
}

void probe::turned_away(const char* why) const {
  registry_
      .make_counter("throughline_gateway_turned_away_total", "Requests and sockets refused for overload",
                    {{"why", why}})
      .add();
}

void probe::socket_ended(int code) const {
  sockets_.add(-1);
  // Clients may send any code: those that are not ours are one.
  const bool ours = code == 1001 || code == 1008 || code == 1009 || (code >= 4400 && code < 4600);
  registry_
      .make_counter("throughline_gateway_sockets_ended_total", "User sockets ended",
                    {{"code", ours ? std::to_string(code) : "other"}})
      .add();
}

}  // namespace throughline::gateway
