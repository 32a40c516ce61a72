#pragma once
// A page that watches a session: stock (v1) or extended (v2: says where it stopped), and comes again whenever its
// socket ends. Each frame is checked as it comes.

#include <memory>
#include <optional>

#include "common/replay/live_event.hpp"
#include "services/gateway/core/watch.hpp"
#include "tests/simulation/world.hpp"

namespace throughline::simulation {

class viewer {
 public:
  viewer(world& around, user_id user, page kind);

  void start();
  void close();  ///< the page goes away and comes again

  // From the gateway; a result: it takes no more, and has everything up to there.
  std::optional<position> take_state(const throughline::gateway::full_state& s, bool with_baseline);
  std::optional<position> take_event(const replay::live_event& e);
  std::optional<position> take_replay(const std::vector<replay::live_event>& events, position at);
  void heartbeat(position at);
  void admitted();
  void refused();
  void not_found();
  void gateway_died();

  const user_id& user() const { return user_; }
  const session_id& session() const { return session_; }
  page kind() const { return kind_; }
  bool open() const { return open_; }
  micros opened_at() const { return opened_at_; }
  const view& shows() const { return view_; }
  std::optional<position> since() const;

  throughline::gateway::viewer_key key = 0;
  bool placed = false;

 private:
  void connect();
  void come_again();
  bool is_slow();

  world& w_;
  user_id user_;
  page kind_;
  session_id session_;
  view view_;
  bool open_ = false;
  bool slow_ = false;
  micros opened_at_{0};
  life socket_;
  life page_ = new_life();
};

}  // namespace throughline::simulation
