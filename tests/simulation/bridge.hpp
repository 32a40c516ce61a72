#pragma once
// An agent-bridge process: the attachment core behind simulated sockets.

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "services/agent-bridge/core/attachment.hpp"
#include "services/agent-bridge/core/epoch_gate.hpp"
#include "services/agent-bridge/core/renewals.hpp"
#include "tests/simulation/world.hpp"

namespace throughline::simulation {

/// A frame of an agent on its way, and the thread it is about (empty: none).
struct agent_frame {
  agent_event event;
  std::string thread;
  std::uint64_t seq = 0;  ///< a numbered agent's own
};

/// A TCP connection between an agent and a bridge: in order, no loss until it breaks; then each side finds out late,
/// and what was on its way is gone.
struct agent_socket {
  life agent_side, bridge_side;  ///< of the ends; null once an end knows that it is over
  bool broken = false;
  micros last_up{0}, last_down{0};
  std::deque<agent_frame> unread;
  std::function<void(const agent_command&)> to_agent;
  std::function<void(std::uint64_t)> resume, acknowledge;  ///< of a numbered agent
  std::function<void(int code)> closed_by_bridge;
  std::function<void()> stirred;  ///< the bridge has something to read
  std::function<void()> ended;    ///< the bridge finds out
};

class bridge : public std::enable_shared_from_this<bridge> {
 public:
  explicit bridge(world& around);

  /// An upgrade request; `then` gets true once the attach is committed and the socket is open.
  void upgrade(std::shared_ptr<agent_socket> socket, const std::optional<std::string>& instance,
               std::function<void(bool)> then);
  void order(const bridge_order& what, std::uint64_t epoch, std::function<void(order_outcome)> answer);
  void die();
  const bridge_id& id() const { return id_; }
  const life& alive() const { return alive_; }

 private:
  struct slot {
    slot(agent_bridge::attachment_identity who, std::uint64_t seed)
        : core(std::move(who), agent_bridge::outbox_limits{}, seed) {}
    agent_bridge::attachment core;
    std::shared_ptr<agent_socket> socket;
    bool committed = false;
    bool renewed = false;  ///< held by `renewals_`
    std::map<agent_bridge::ticket, std::function<void(order_outcome)>> orders;
    agent_bridge::ticket last_ticket = 0;
    std::uint64_t wake = 0;
    std::map<std::uint64_t, numbered_frame> sent;  ///< for the planted fault only
    std::map<std::tuple<thread_id, message_id, request_id>, std::string> contents;
  };
  using slot_ptr = std::shared_ptr<slot>;

  void attach(slot_ptr s, micros deadline, unsigned failures, std::function<void(bool)> then);
  void apply(const slot_ptr& s, agent_bridge::attachment_input what);
  void perform(const slot_ptr& s, agent_bridge::attachment_effect& e);
  void write(const slot_ptr& s, std::function<void(const agent_socket&)> what);
  void ask(const slot_ptr& s, agent_bridge::effect::ask_owner& e);
  void pump(const slot_ptr& s);
  void arm(const slot_ptr& s);
  void note_renewal(slot& s);
  void renew_due();
  void arm_renewals();
  void merge_sent(slot& s, hand_over& h);
  bool dropped_by_id(const agent_event& e) const;
  agent_bridge::moment now() const { return agent_bridge::moment(w_.loop.now()); }

  world& w_;
  life alive_ = new_life();
  bridge_id id_;
  agent_bridge::epoch_gate epochs_;
  agent_bridge::renewals renewals_;
  std::uint64_t renewal_wake_ = 0;
  std::map<attachment_id, slot_ptr> slots_;
};

}  // namespace throughline::simulation
