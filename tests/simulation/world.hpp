#pragma once
// One run: a session tree, its database, replicas of state-sync that compete for its shard, bridges, an agent with its
// editor, gateways, viewers and people, on one loop of virtual time. Processes find each other through this.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/model/bridge_order.hpp"
#include "common/model/reply.hpp"
#include "common/model/request.hpp"
#include "services/agent-bridge/core/retry.hpp"
#include "services/state-sync/core/input.hpp"
#include "tests/simulation/checks.hpp"
#include "tests/simulation/database.hpp"
#include "tests/simulation/faults.hpp"
#include "tests/simulation/loop.hpp"
#include "tests/simulation/view.hpp"
#include "tests/simulation/wire.hpp"

namespace throughline::simulation {

class stock_agent;
class bridge;
class follower;
class gateway;
class people;
class replica;
class viewer;

class world {
 public:
  struct settings {
    std::uint64_t seed = 1;
    plant planted = plant::none;
    bool trace = false;
  };
  explicit world(settings how);
  ~world();

  /// The whole story, and the quiet after it. Throws violation.
  void run();

  settings how;
  chance by;
  weather bad;
  bool stormy = true;  ///< faults happen
  event_loop loop;
  wire nats;
  database db;
  checks check;
  state_sync::limits bounds;
  micros database_clock{0};  ///< how far the database's clock is off

  bool planted(plant p) const { return how.planted == p; }
  bool happens(std::uint64_t one_in) { return stormy && by.one_in(one_in); }
  instant database_now() const;
  void trace(const std::string& what) const;

  // Requests to the owner, as the NATS link does them.
  struct owner_answer {
    std::uint64_t epoch = 0;
    reply what;
  };
  using owner_outcome = std::variant<owner_answer, agent_bridge::send_failure>;
  using owner_question = std::variant<session_request, renew>;
  void ask_owner(const owner_question& request, millis timeout, const life& of,
                 std::function<void(const owner_outcome&)> then);
  /// Orders to a bridge; nothing when there is no answer within a second.
  void ask_bridge(const bridge_id& to, const bridge_order& what, std::uint64_t epoch, const life& of,
                  std::function<void(std::optional<order_outcome>)> then);
  /// A read, asked again until somebody answers under an epoch that `admit` takes, or patience ends.
  struct reader_answer {
    std::uint64_t epoch = 0;
    reading what;
  };
  void read(const read_request& what, const life& of, std::function<bool(std::uint64_t epoch)> admit,
            std::function<void(std::optional<reading>)> then);
  void publish(const stored_event& e);
  void publish_access();

  void replica_died(std::size_t number);
  std::string fresh(const char* prefix);  ///< an id

  std::vector<std::shared_ptr<replica>> replicas;
  std::shared_ptr<bridge> the_bridge;
  std::vector<std::shared_ptr<gateway>> gateways;
  std::unique_ptr<stock_agent> the_agent;
  std::unique_ptr<people> the_people;
  std::vector<std::unique_ptr<viewer>> viewers;
  std::vector<std::unique_ptr<follower>> followers;
  std::shared_ptr<gateway> any_gateway();  ///< that is there; null: none
  void follow(const user_id& user, const session_id& session, const interaction_id& id);
  void something_committed();

 private:
  struct reading_question;
  template <class Value, class Encode, class Decode>
  void carry(const life& to, const Value& what, const Encode& encode, const Decode& decode,
             std::function<void(const Value&)> arrives);
  void answer_back(const life& to, const owner_answer& a, std::function<void(const owner_answer&)> arrives);
  std::vector<std::shared_ptr<replica>> readers(bool direct);
  void attempt_read(const std::shared_ptr<reading_question>& q, millis timeout, bool direct);
  void begin();
  void plan_accidents();
  void accident();
  void break_something();
  void viewers_act();
  void add_viewer(const char* user, page kind);
  void quiet();
  void start_replica(std::size_t number);
  void break_replica();
  life life_ = new_life();
};

}  // namespace throughline::simulation
