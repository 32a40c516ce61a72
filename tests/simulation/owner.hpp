#pragma once
// A state-sync process: the session core in a shell that does what the real one does (one transaction at a time under
// the fence, publish and answer after it, orders repeated until answered) and dies at any step.

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "services/state-sync/core/session_core.hpp"
#include "tests/simulation/world.hpp"

namespace throughline::simulation {

class owner : public std::enable_shared_from_this<owner> {
 public:
  explicit owner(world& around);

  void start();  ///< has taken the shard
  void offer(const session_request& request, std::function<void(const world::owner_answer&)> answer);
  bool listening() const { return alive_ != nullptr; }
  const life& alive() const { return alive_; }
  void pause(micros how_long);
  void retire() { retiring_ = true; }  ///< another has the shard: what is here is decided, nothing more
  void die();

 private:
  struct pending {
    state_sync::input what;
    std::function<void(const world::owner_answer&)> answer;
  };
  struct transaction {
    std::vector<pending> inputs;
    row_store written;
    std::vector<stored_event> events;
    std::vector<state_sync::changes> writes;
    std::vector<state_sync::consequences> after;
  };
  struct lane {
    std::deque<state_sync::order> orders;
    bool asked = false;
    std::uint64_t generation = 0;
  };

  void own_input(state_sync::input what, bool first = false);
  void pump();
  void begin();
  void decide(transaction& t, pending& input);
  void plant_into(pending& input);
  void finish(std::shared_ptr<transaction> t);
  void committed(transaction& t);
  void failed(transaction& t, micros pause);
  void carry_out(transaction& t);
  void note_attachments(const state_sync::changes& w);
  void resend_in_doubt(const state_sync::changes& w, std::vector<std::function<void()>>& steps);
  void give(state_sync::order o);
  void send_next(const attachment_id& lane_of);
  void answered(const attachment_id& lane_of, std::uint64_t generation, std::optional<order_outcome> said);
  void arm();
  void time_has_come();

  world& w_;
  life alive_ = new_life();
  std::deque<pending> inbox_;
  std::optional<state_sync::tree> tree_;
  fence_marks marks_;
  std::uint64_t epoch_ = 0;
  bool busy_ = false;
  bool retiring_ = false;
  micros paused_until_{0};
  micros timers_from_{0};
  std::uint64_t wake_ = 0;
  std::uint64_t lanes_made_ = 0;
  std::uint64_t retries_ = 0;
  std::map<attachment_id, lane> lanes_;
  state_sync::reply_token last_token_ = 0;
  std::map<state_sync::reply_token, std::function<void(const world::owner_answer&)>> waiting_;  ///< a cancel's for long
};

}  // namespace throughline::simulation
