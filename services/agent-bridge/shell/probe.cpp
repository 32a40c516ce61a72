#include "services/agent-bridge/shell/probe.hpp"

#include <string>

namespace throughline::agent_bridge {
namespace {

constexpr const char* prefix = "throughline_agent_bridge_";

std::string named(const char* name) {
  return std::string(prefix) + name;
}

}  // namespace

probe::probe(ops::metrics_registry& m)
    : metrics_(m),
      sockets_(m.make_gauge(named("sockets"), "Agent sockets open")),
      attachments_(m.make_gauge(named("attachments"), "Attachments not ended yet, with or without a socket")),
      outbox_bytes_(m.make_gauge(named("outbox_bytes"), "Frames read and not committed yet")),
      frames_(m.make_counter(named("frames_total"), "Frames read from agents")),
      frame_bytes_(m.make_counter(named("frame_bytes_total"), "Bytes of frames read from agents")),
      bad_frames_(m.make_counter(named("bad_frames_total"), "Frames that could not be read")),
      unknown_events_(m.make_counter(named("unknown_events_total"), "Frames of an unknown event type")),
      merged_(m.make_counter(named("merged_frames_total"), "Frames replaced before they were sent")),
      refused_(m.make_counter(named("refused_frames_total"), "Frames the owner consumed without applying them")),
      skipped_(m.make_counter(named("skipped_frames_total"), "Numbers of v2 agents that nobody will ever send: lost")),
      repeated_(m.make_counter(named("repeated_frames_total"), "Frames of v2 agents that were said before: dropped")),
      acks_(m.make_counter(named("acks_total"), "Acks written to v2 agents")),
      lost_(m.make_counter(named("lost_frames_total"), "Frames of ended attachments that nobody takes")),
      renewals_(m.make_counter(named("renewals_total"), "Messages that renew the attachments of a shard")),
      hand_over_seconds_(
          m.make_histogram(named("hand_over_seconds"), "From a hand-over to its answer", ops::latency_bounds())) {}

void probe::upgrade_answered(int status) {
  metrics_.make_counter(named("upgrades_total"), "Upgrade requests by answer", {{"status", std::to_string(status)}})
      .add();
}

void probe::frame_read(std::size_t bytes) const {
  frames_.add();
  frame_bytes_.add(static_cast<double>(bytes));
}

void probe::handed_over(std::chrono::steady_clock::duration took) const {
  hand_over_seconds_.observe(std::chrono::duration<double>(took).count());
}

void probe::retried(send_failure why) {
  metrics_
      .make_counter(named("retries_total"), "Requests to state-sync without a usable answer",
                    {{"reason", std::string(name_of(why))}})
      .add();
}

void probe::order_answered(order_outcome outcome) {
  metrics_
      .make_counter(named("orders_total"), "Orders of state-sync by outcome",
                    {{"outcome", std::string(name_of(outcome))}})
      .add();
}

std::string_view name_of(send_failure why) {
  switch (why) {
    case send_failure::no_responders:
      return "no_responders";
    case send_failure::disconnected:
      return "disconnected";
    case send_failure::timeout:
      return "timeout";
    case send_failure::connection_lost:
      return "connection_lost";
    case send_failure::unusable:
      return "unusable";
  }
  return "unusable";
}

std::string_view name_of(order_outcome outcome) {
  switch (outcome) {
    case order_outcome::written:
      return "written";
    case order_outcome::not_written:
      return "not_written";
    case order_outcome::unknown:
      return "unknown";
  }
  return "unknown";
}

}  // namespace throughline::agent_bridge
