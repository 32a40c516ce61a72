#pragma once
// A user socket: the gateway's end, which does what the real one does, and the network to the page, whose reader may be
// slow, stand still, or have gone without a word.

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "services/gateway/core/owed_frames.hpp"
#include "tests/simulation/gateway.hpp"

namespace throughline::simulation {

class viewer;

class user_socket final : public watcher, public std::enable_shared_from_this<user_socket> {
 public:
  user_socket(world& around, std::shared_ptr<gateway> at, viewer& page);
  ~user_socket() override;

  void knock();
  void page_left(bool silently);  ///< silently: nobody tells the gateway
  void resync();
  bool was_full() const { return was_full_; }  ///< it got less than every event one by one

  void admitted() override;
  void refused() override;
  std::optional<position> take_state(const throughline::gateway::full_state& s, bool with_baseline) override;
  std::optional<position> take_event(const replay::live_event& e) override;
  std::optional<position> take_replay(const std::vector<replay::live_event>& events, position at) override;
  void heartbeat(position at) override;
  void not_found() override;
  void gateway_died() override;

 private:
  bool send(const replay::shared_text& text);  ///< false: full
  void queue(replay::shared_text text, bool is_answer = false);
  void carry();
  void became_writable();
  void look_for_progress();
  void close(int code);
  void leave();

  world& w_;
  std::shared_ptr<gateway> at_;
  viewer* page_;  ///< null: gone
  session_id session_;
  life life_ = new_life();
  std::optional<gateway::seat> seat_;
  bool answered_no_ = false;
  throughline::gateway::owed_frames owed_;
  std::deque<replay::shared_text> queue_;
  std::size_t queue_bytes_ = 0;
  bool carrying_ = false, refused_ = false, was_full_ = false;
  micros progress_at_{0};
};

}  // namespace throughline::simulation
