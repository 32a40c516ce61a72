#pragma once
// A stock agent (P-A12) and the person at its editor: one unbounded FIFO that survives reconnects, cumulative contents,
// re-sends on a new entry and at the end of a turn, ids that start again after a restart, no de-duplication. In a third
// of the runs it is one that numbers what it says (v2): it says again what is not acknowledged, and knows a prompt that
// it has had before.

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/bridge.hpp"
#include "tests/simulation/world.hpp"

namespace throughline::simulation {

class stock_agent {
 public:
  /// What kills the process that applies it.
  static constexpr const char* deadly = "\xE2\x98\xA0";

  explicit stock_agent(world& around);

  void start();
  void restart();  ///< the process dies and comes again: queue, running turns and unsaved ids are gone
  void break_socket();
  void type();        ///< a person types in the editor
  void finish_all();  ///< every turn it has ends now
  /// A numbered agent had this prompt before, and left it at that.
  bool has_dropped(const request_id& request) const { return dropped_.contains(request.text()); }
  bool is_idle() const;
  bool is_numbered() const { return w_.bad.numbered_agent; }
  int restarts() const { return restarts_; }
  bool connected() const { return up_; }

 private:
  struct thread {
    std::string id;
    std::vector<std::pair<entry, std::string>> entries;  ///< with the request they were said under
    std::string request;                                 ///< current: tags what is typed
    agent_turn* turn = nullptr;
    std::size_t first = 0;  ///< entry of the turn
    int steps_left = 0;
    std::uint64_t life = 0;
    bool stuck = false;
  };

  void connect();
  void connected_to(std::shared_ptr<agent_socket> socket);
  void lost_connection();
  void resume_after(std::uint64_t committed);
  void acknowledged(std::uint64_t seq);
  void emit(agent_event event, const std::string& thread);
  void write_next();
  void obey(const agent_command& command);
  void on(const throughline::agent::chat_message& m);
  void on(const throughline::agent::open_thread& m);
  void on(const throughline::agent::cancel_current_turn& m);
  void follow_up();
  void begin_turn(thread& t, agent_turn made);
  void plan(thread& t);
  void step(thread& t);
  void say(thread& t, std::size_t index);
  void say_something_deadly(thread& t);
  void end_turn(thread& t, bool completed);
  void fail_turn(thread& t);
  void ready(const std::string& thread);
  void replay(thread& t);
  thread& new_thread();
  std::string words();

  world& w_;
  life process_ = new_life();
  life link_;
  std::shared_ptr<agent_socket> socket_;
  bool up_ = false;
  bool opened_ = false;  ///< open_thread came on this connection
  bool writing_ = false;
  micros back_off_{1'000'000};
  std::deque<agent_frame> fifo_;
  // v2 (5.5): the name of this life, its numbers, what was sent and is not known to be committed, what it was asked.
  std::string instance_;
  std::uint64_t last_seq_ = 0;
  bool resumed_ = false;
  std::deque<agent_frame> unacknowledged_;
  std::set<std::string> asked_;
  std::set<std::string> dropped_;
  int restarts_ = 0;
  std::map<std::string, thread> threads_;
  std::map<std::string, std::vector<std::pair<entry, std::string>>> saved_;  ///< of earlier processes
  std::deque<throughline::agent::chat_message> follow_ups_;
  std::uint64_t threads_made_ = 0;
  std::uint64_t texts_ = 0;
};

}  // namespace throughline::simulation
