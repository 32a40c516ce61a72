#pragma once
// A page that watches a session: stock (v1) or extended (v2: says where it stopped), and comes again whenever its
// socket ends. Each frame is checked as it comes.

#include <memory>
#include <optional>
#include <string>

#include "tests/simulation/view.hpp"
#include "tests/simulation/world.hpp"

namespace throughline::simulation {

class user_socket;

class viewer {
 public:
  viewer(world& around, user_id user, page kind);
  ~viewer();

  void start();
  void close();                                  ///< the page goes away and comes again
  void resync();                                 ///< v2: asks for a full state
  void stay_for(micros how_long);                ///< and then never comes again
  void forget_position() { odd_since_ = true; }  ///< the next time it says another position than its own

  // From the socket.
  std::optional<position> upgraded();  ///< the socket is open; gives `since`
  void take(const std::string& frame);
  void closed(int code);

  const user_id& user() const { return user_; }
  const session_id& session() const { return session_; }
  page kind() const { return kind_; }
  bool open() const { return open_; }
  bool stays() const { return stays_; }
  micros opened_at() const { return opened_at_; }
  const view& shows() const { return view_; }
  bool awaits_answer() const { return resyncing_ || replaying_; }
  bool awaits_state() const { return resyncing_; }  ///< what comes meanwhile is in that state

 private:
  void connect();
  void come_again();
  void begin_state();
  void take_full(position before);
  void take_event(position before, const std::string& frame);
  std::optional<position> since();
  void expect_heartbeat();

  world& w_;
  user_id user_;
  page kind_;
  session_id session_;
  view view_;
  bool open_ = false;       ///< has had its first state on this socket
  bool replaying_ = false;  ///< the events after `since` come first
  bool odd_since_ = false;
  bool stays_ = true;
  bool resyncing_ = false;  ///< no full state since it asked for one
  int resyncs_ = 0;         ///< asked for; several may be answered by one state
  std::uint64_t beats_ = 0;
  micros opened_at_{0};
  std::optional<position> asked_since_;
  std::shared_ptr<user_socket> socket_;
  life here_;  ///< of this socket
  life page_ = new_life();
};

}  // namespace throughline::simulation
