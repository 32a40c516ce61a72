#pragma once
// One session tree, its store, its bridges and time, driven line by line. After every decision it checks what must
// always hold: the store takes the writes, a tree loaded from the rows decides the same as the one that lived on, a
// viewer who applied all events has what a reader of the database has, and at most one turn runs per session.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/state-sync/core/session_core.hpp"
#include "tests/scenarios/bridge_memory.hpp"
#include "tests/scenarios/names.hpp"
#include "tests/scenarios/story.hpp"
#include "tests/support/row_store.hpp"

namespace throughline::tests {

class world {
 public:
  world();

  /// What the input brought about, as lines. Throws std::runtime_error when something that must hold does not.
  std::vector<std::string> run(const act& a);

 private:
  using lines = std::vector<std::string>;

  // world.cpp
  lines perform(const act& a);
  lines decide(const state_sync::input& what, bool twin = true);
  state_sync::decision decide_on(const row_store& rows, state_sync::tree& on, const state_sync::input& what,
                                 id_source& ids) const;
  void compare_with_twin(const row_store& before, const state_sync::input& what, const state_sync::changes& lived,
                         const state_sync::consequences& then) const;
  lines wait(const line& l);
  lines pass_until(instant to, bool bridges_alive);
  lines begin(bool with_thread);
  lines crash();
  lines fail(const act& a);
  lines catch_up(const attachment_id& a);
  lines show(const line& l) const;
  void check_viewers() const;
  void check_one_running() const;
  void reload();

  // world_requests.cpp
  session_request request_of(const act& a);
  session_request people(const line& l);
  session_request bridges(const act& a);
  caller caller_of(const line& l);
  session_id session_of(const line& l) const;

  row_store store_;
  std::unique_ptr<state_sync::tree> tree_;
  names names_;
  bridge_memory bridges_;
  id_source ids_{1};
  instant now_;
  std::uint64_t epoch_ = 1;
  std::uint64_t owners_ = 1;  ///< lives of owners so far
  state_sync::limits bounds_;
  session_id root_;
  std::uint64_t unnamed_ids_ = 0;
};

}  // namespace throughline::tests
