#pragma once
// A state-sync process: the session core in a shell that does what the real one does. It competes for the lock of the
// tree's shard, decides in one transaction at a time under the fence, publishes and answers after it, repeats orders
// until answered, answers reads; and it dies, stands still, or is cut off, at any step.

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "services/state-sync/core/session_core.hpp"
#include "tests/simulation/world.hpp"

namespace throughline::simulation {

class replica : public std::enable_shared_from_this<replica> {
 public:
  replica(world& around, std::size_t number);

  void start();
  /// On the shard's subject, from somebody who waits this long.
  void offer(const world::owner_question& what, millis budget, std::function<void(const world::owner_answer&)> answer);
  void read(const read_request& what, std::function<void(const world::reader_answer&)> answer);

  const life& alive() const { return alive_; }
  bool is_connected() const;  ///< to NATS
  bool subscribes() const;    ///< to the shard's subject
  bool serves() const;
  bool stands_still() const;
  bool can_read() const { return is_connected() && reaches_database(); }

  void pause(micros how_long);
  void cut_from_nats(micros how_long);
  void cut_from_database(micros how_long);
  void hand_on();  ///< gives the shard up, so that another can take it
  void die();

 private:
  struct pending {
    state_sync::input what;
    std::function<void(const world::owner_answer&)> answer;
    micros good_until{0};
  };
  struct transaction {
    std::vector<pending> inputs;
    row_store written;
    std::vector<stored_event> events;
    std::vector<state_sync::changes> writes;
    std::vector<state_sync::consequences> after;
    std::optional<pending> again;  ///< to be decided again once this is committed
    micros began{0};
    bool done = false;  ///< committed, and this process has not heard so
  };
  struct lane {
    std::deque<state_sync::order> orders;
    bool asked = false;
    std::uint64_t generation = 0;
  };
  struct killed {};  ///< thrown by an input that kills its process

  // The shard (3.5).
  void round();
  void take_shard();
  void lose_shard();
  void stop_serving();
  bool reaches_database() const;
  void connect();
  void go_on();

  // Input and time.
  void own_input(state_sync::input what, bool first = false);
  void pump();
  void arm();
  void time_has_come();
  void answer_to(const pending& input, reply what);
  void offer_one(const session_request& request, millis budget, std::function<void(const world::owner_answer&)> answer);
  void offer_each(const renew& all, millis budget, std::function<void(const world::owner_answer&)> answer);
  void renew_from_memory();

  // One transaction.
  void begin();
  void load(transaction& t);
  void decide_all(transaction& t);
  void decide(transaction& t, pending& input);
  void finish(std::shared_ptr<transaction> t);
  void finish_unheard(const std::shared_ptr<transaction>& t);
  void committed(transaction& t);
  void failed(transaction& t, micros pause);
  void carry_out(transaction& t);
  void publish(const stored_event& e);
  state_sync::context at() const;

  // Orders.
  void note_attachments(const state_sync::changes& w);
  void give(state_sync::order o);
  void send_next(const attachment_id& lane_of);
  void answered(const attachment_id& lane_of, std::uint64_t generation, std::optional<order_outcome> said);

  // Planted faults.
  void plant_into(pending& input);
  void refuse_from_memory();
  stored_event rendered(const transaction& t, const event& e) const;
  void resend_in_doubt(const state_sync::changes& w, std::vector<std::function<void()>>& steps);
  bool leaves_no_trace(const state_sync::changes& writes) const;
  void blame_input(transaction& t) const;
  void adopt_cursor(transaction& t, const state_sync::input& what);
  bool write_over(transaction& t);

  world& w_;
  std::size_t number_;
  std::string name_;  ///< of this life
  life alive_ = new_life();
  std::optional<database::link> link_;  ///< the connection that holds the lock
  bool holds_ = false;
  micros last_beat_{0};
  micros lingers_until_{0};  ///< it believes until then that it serves, whatever the lock says
  micros paused_until_{0}, nats_cut_until_{0}, database_cut_until_{0};
  micros timers_from_{0};
  micros confirmed_at_{-1'000'000'000};  ///< its last transaction that committed began

  std::deque<pending> inbox_;
  std::optional<state_sync::tree> tree_;
  fence_marks marks_;
  std::optional<row_store> memory_;  ///< what `tree_` was made of, for planted faults only
  std::uint64_t server_ = 0;         ///< the connections are to this one
  std::uint64_t epoch_ = 0;
  bool busy_ = false;
  std::uint64_t wake_ = 0;
  std::uint64_t lanes_made_ = 0;
  std::uint64_t retries_ = 0;
  std::map<attachment_id, lane> lanes_;
  state_sync::reply_token last_token_ = 0;
  std::map<state_sync::reply_token, pending> waiting_;  ///< a cancel's for long
};

}  // namespace throughline::simulation
