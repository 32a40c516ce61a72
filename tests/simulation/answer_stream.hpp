#pragma once
// The gateway's end of one SSE answer: the core `followed_answer` as a viewer of its session's watch, driven as the
// real waiter drives it.

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "services/gateway/core/followed_answer.hpp"
#include "tests/simulation/gateway.hpp"

namespace throughline::simulation {

class follower;

class answer_stream final : public watcher, public std::enable_shared_from_this<answer_stream> {
 public:
  answer_stream(world& around, std::shared_ptr<gateway> at, follower& client, std::optional<position> since);
  ~answer_stream() override;

  void begin();
  void client_left();

  void admitted() override;
  void refused() override;
  std::optional<position> take_state(const throughline::gateway::full_state& s, bool with_baseline) override;
  std::optional<position> take_event(const replay::live_event& e) override;
  std::optional<position> take_replay(const std::vector<replay::live_event>& events, position at) override;
  void heartbeat(position) override {}
  void not_found() override;
  void gateway_died() override;

 private:
  struct all_anew {};
  struct goes_on {};
  using kept = std::variant<all_anew, goes_on, std::shared_ptr<const codec::answer_event>>;

  void read(std::function<void(throughline::gateway::answer_reading)> then);
  void found(throughline::gateway::answer_reading now);
  void find_text_end(position from, throughline::gateway::text_end start);
  void open();
  void keep(const replay::live_event& e);
  void pump();
  void write(throughline::gateway::answer_chunks chunks);
  void fail(const std::string& code);
  void leave();

  world& w_;
  std::shared_ptr<gateway> at_;
  follower* client_;  ///< null: gone
  session_id session_;
  interaction_id id_;
  life life_ = new_life();
  std::optional<gateway::seat> seat_;
  throughline::gateway::followed_answer core_;
  std::deque<kept> kept_;
  bool admitted_ = false, answered_no_ = false, full_ = false, busy_ = false;
  std::optional<position> asked_since_, since_;
  throughline::gateway::text_end end_there_ = throughline::gateway::text_end::unknown();
  throughline::gateway::answer_reading found_;
};

}  // namespace throughline::simulation
