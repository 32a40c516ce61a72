#pragma once
// A gateway process: the watch core of each watched session, its head checks, and the sockets of viewers.

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "services/gateway/core/head_schedule.hpp"
#include "services/gateway/core/watch.hpp"
#include "tests/simulation/world.hpp"

namespace throughline::simulation {

class gateway : public std::enable_shared_from_this<gateway> {
 public:
  explicit gateway(world& around);

  void start();
  void die();
  const life& alive() const { return alive_; }

  /// An upgrade request of this viewer.
  void knock(viewer& who);
  void leave(viewer& who);
  void writable(viewer& who);
  void resync(viewer& who);

  // From NATS.
  void event(const stored_event& e);
  void access_changed(const session_id& session, std::uint64_t epoch, const access_list& access);

 private:
  struct place {
    viewer* who = nullptr;
    bool full = false;
  };
  struct watched {
    session_id session;
    throughline::gateway::watch core;
    std::vector<place> places;
    bool snapshot_asked = false;
  };
  using watched_ptr = std::shared_ptr<watched>;

  void perform(const watched_ptr& s, throughline::gateway::watch_effects effects);
  void perform_one(const watched_ptr& s, const throughline::gateway::watch_effect& e);
  void ask_snapshot(const watched_ptr& s);
  void ask_range(const watched_ptr& s, const throughline::gateway::effect::ask_range& ask);
  void ask_resume(const watched_ptr& s, const throughline::gateway::effect::ask_resume& ask);
  void check_heads(std::vector<session_id> sessions);
  void tick();
  position seen(position at) const;
  session_reading seen(session_reading r) const;
  watched_ptr watched_by(const viewer& who) const;
  millis now() const { return std::chrono::duration_cast<millis>(w_.loop.now()) + millis(10'000); }

  world& w_;
  life alive_ = new_life();
  throughline::gateway::head_schedule schedule_;
  std::map<session_id, watched_ptr> sessions_;
};

}  // namespace throughline::simulation
