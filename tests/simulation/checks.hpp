#pragma once
// What must hold after every step and at the end (G1..G6, G9), and the truth about agents and people that it is held
// against. Every check has a name; a violation says which one found it.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/model/reply.hpp"
#include "common/model/request.hpp"
#include "services/state-sync/core/rows.hpp"
#include "tests/simulation/database.hpp"
#include "tests/simulation/loop.hpp"
#include "tests/simulation/view.hpp"

namespace throughline::simulation {

class world;

/// One answer of an agent, as the agent knows it.
struct agent_turn {
  std::string request;
  std::string thread;
  std::string prompt;      ///< texts are unique in a run
  bool typed = false;      ///< in the editor
  bool spoke = false;      ///< has content
  bool completed = false;  ///< its message_completed was emitted
  bool disturbed = false;  ///< something of it, or before it on its thread, may have been lost with a socket or process
  std::vector<entry> entries;
};

class checks {
 public:
  explicit checks(world& w) : w_(w) {}

  // G1, G2: nothing is shown, acknowledged or written that is not committed, and all see one order.
  void shown(const session_id& session, const view& page, position at) const;
  void delivered(const session_id& session, position at, const std::string& body) const;
  void may_see(const user_id& who) const;           ///< G9: a right that was revoked has ended by now
  void nobody_reads() { nobody_read_at_ = now(); }  ///< something was to be read, and no replica could
  void acknowledged(const std::string& scope, const std::string& id, const answer& what);
  void handed_over(const attachment_id& to, std::uint64_t number) const;
  void written_to_agent(const request_id& request);

  // Decisions.
  void decided(const state_sync::input& what, const state_sync::changes& writes, bool bridge_waits);
  void committed(const std::optional<std::string>& cancel, const state_sync::changes& writes);
  void failed_over();

  // What agents know.
  agent_turn& begins(agent_turn t);
  void thread_gone(const request_id& request) { ++gone_[request.text()]; }
  void lost_of_thread(const std::string& thread);  ///< empty: of all
  /// With a socket or a bridge: a numbered agent says it again.
  void lost_on_the_way(const std::string& thread);
  bool is_disturbed(const std::string& thread) const;

  void at_rest() const;

 private:
  void turns_at_rest() const;
  void viewers_at_rest() const;
  void followers_at_rest() const;
  void rights(const state_sync::changes& writes);
  micros now() const;
  void order_at_rest() const;
  void texts_at_rest() const;
  bool is_said_without_id(const agent_turn& other, const entry& e) const;

  world& w_;
  std::set<std::string> turns_committed_;
  std::map<attachment_id, std::uint64_t> applied_;
  std::map<std::string, int> writes_, gone_;
  std::map<std::string, std::string> turn_of_prompt_;  ///< by content
  struct accepted {
    std::string session, interaction;
    bool interrupt = false;
  };
  std::vector<accepted> accepted_;
  std::map<std::string, std::set<std::string>> cancelled_by_;
  std::map<std::string, std::string> answers_;  ///< given, by scope and id
  std::map<user_id, micros> revoked_at_;
  micros nobody_read_at_{0};
  std::vector<std::unique_ptr<agent_turn>> agent_turns_;
  std::set<std::string> lost_threads_;
  bool lost_all_ = false;
  life alive_ = new_life();
};

}  // namespace throughline::simulation
