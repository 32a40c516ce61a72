#pragma once
// One `apply` under way: the tree, time, and what it will write and cause. Rules change rows in the tree and mark them
// here; events get their seq here. `finish` turns the marks into rows.

#include <set>
#include <string>
#include <string_view>

#include "services/state-sync/core/decision.hpp"
#include "services/state-sync/core/session_core.hpp"
#include "services/state-sync/core/tree.hpp"

namespace throughline::state_sync {

class step {
 public:
  step(tree_state& state, const context& when, decision& into) : tree(state), at(when), out(into) {}
  step(const step&) = delete;
  step& operator=(const step&) = delete;

  tree_state& tree;
  const context& at;
  decision& out;

  // Rows that changed. A member's head row is written whenever anything of its session is.
  void changed(member& m);
  void head_changed(member& m) { heads_.insert(m.id()); }
  void changed(turn& t);
  void changed(const attachment_row& a);
  void changed(const command_row& c);
  void changed(const thread_row& t);
  void gone(const command_id& c);
  void gone(const attachment_id& a);
  void queued(const prompt_row& p);
  void unqueued(const member& m, const interaction_id& id);

  // Events, in the order of these calls. Output is gathered per turn: one patch event for all of it, made before the
  // next event of another kind in its session (a finished turn's late output: one full update).
  void output(turn& t);
  void show_output(const member& m) { flush(&m.id()); }
  void show(turn& t);
  void show(member& m);
  void show_at_end(member& m) { shown_at_end_.insert(m.id()); }

  // What follows the commit.
  void reply(reply_token to, throughline::reply what);
  void order(bridge_id to, bridge_order what);
  void notify(notice::kind what, const session_id& session);
  void ignored() { ++out.later().frames_ignored; }

  std::string new_id(std::string_view prefix) const;
  member& session_of(const turn& t);
  session value_of(const member& m) const;
  position head_of(const member& m) const { return {at.epoch, m.head.seq}; }

  void finish();

 private:
  event& next_event(member& m, const interaction_id& about);
  void flush(const session_id* of);
  void flush(turn& t);
  void fold_when_due(turn& t);
  void write_heads();
  void write_rows();

  std::set<session_id> rows_, heads_, shown_at_end_;
  std::set<interaction_id> turns_;
  std::set<attachment_id> attachments_;
  std::set<command_id> commands_;
  std::set<thread_id> threads_;
  std::vector<turn*> with_output_;
};

}  // namespace throughline::state_sync
