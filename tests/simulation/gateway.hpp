#pragma once
// A gateway process: the watch core of each watched session, its head checks, and who watches there.

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "services/gateway/core/head_schedule.hpp"
#include "services/gateway/core/watch.hpp"
#include "tests/simulation/watcher.hpp"
#include "tests/simulation/world.hpp"

namespace throughline::simulation {

class gateway : public std::enable_shared_from_this<gateway> {
 public:
  explicit gateway(world& around);

  void start();
  void die();
  const life& alive() const { return alive_; }

  /// A place among those that watch a session here.
  struct watched;
  struct seat {
    std::shared_ptr<watched> where;
    throughline::gateway::viewer_key key = 0;
  };
  seat knock(watcher& who, const session_id& session, const user_id& user, throughline::gateway::wire_version version);
  void open(const seat& s, std::optional<position> since);
  void leave(const seat& s);
  void writable(const seat& s);
  void resync(const seat& s);

  /// A read for somebody here; nothing when it is not answered.
  void read(const read_request& what, std::function<void(std::optional<session_reading>)> then);
  /// The events of a range as it was read.
  static std::vector<replay::live_event> lines_of(std::string_view text);
  /// From NATS, on the session's subject.
  void received(const session_id& session, const io::message& m);

 private:
  using watched_ptr = std::shared_ptr<watched>;
  struct place;

  void told(const watched_ptr& s, const io::message& m, throughline::gateway::watch_effects& out);
  void perform(const watched_ptr& s, throughline::gateway::watch_effects effects);
  void perform_one(const watched_ptr& s, const throughline::gateway::watch_effect& e);
  template <class Take>
  void give(const watched_ptr& s, throughline::gateway::viewer_key key, const Take& take);
  void ask_snapshot(const watched_ptr& s);
  void ask_range(const watched_ptr& s, const throughline::gateway::effect::ask_range& ask);
  void ask_resume(const watched_ptr& s, const throughline::gateway::effect::ask_resume& ask);
  void check_heads(std::vector<session_id> sessions);
  void tick();
  bool admits(std::uint64_t epoch);
  position seen(position at) const;
  millis now() const { return std::chrono::duration_cast<millis>(w_.loop.now()) + millis(10'000); }

  world& w_;
  life alive_ = new_life();
  throughline::gateway::head_schedule schedule_;
  std::map<session_id, watched_ptr> sessions_;
  std::uint64_t epoch_ = 0;
};

}  // namespace throughline::simulation
