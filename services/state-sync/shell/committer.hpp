#pragma once
// One batch of inputs, one transaction: lock, load, decide, render, write, commit. Decides nothing about failures: what
// the database throws goes on to the writer, after every tree that was touched has been dropped from memory.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "services/state-sync/core/session_core.hpp"
#include "services/state-sync/shell/pending_input.hpp"
#include "services/state-sync/shell/store/store.hpp"
#include "services/state-sync/shell/tree_cache.hpp"

namespace throughline::state_sync {

/// A tree whose `apply` found its state to contradict itself (design 3.6).
struct broken_tree {
  session_id root;
  std::string what;
  std::vector<std::size_t> inputs;  ///< that input and those after it, by index; nothing of them was written
};

/// What a committed batch leaves to do.
struct committed_batch {
  instant now;        ///< the database's clock
  write_set written;  ///< its events are to be published first
  std::vector<consequences> after;
  std::vector<session_id> decided;  ///< roots
  std::vector<std::size_t> kept;    ///< inputs whose tree is locked by somebody else
  std::vector<std::size_t> unread;  ///< inputs whose tree is above the bound of what is loaded at once
  /// A suspect one that shared its transaction, followed one or has just been marked, and what is behind it.
  std::vector<std::size_t> apart;
  std::vector<broken_tree> broken;
  std::vector<session_id> marked;  ///< as addressed: the first of `apart` of these is to be tried alone now
  std::size_t reloaded = 0;        ///< trees whose memory was stale
};

struct decision_bounds {
  std::uint64_t epoch = 0;
  limits of_sessions;
  bool hurried = false;  ///< what is tried again, a session alone: it does not wait long for locks
};

class committer {
 public:
  committer(tree_cache& trees, id_source& ids)
      : trees_(trees), ids_(ids), owner_("own_" + std::to_string(ids.next())) {}

  /// `inputs` stay with the caller, to be tried again when this throws.
  committed_batch commit(store& through, std::vector<pending_input>& inputs, const decision_bounds& bounds);
  /// It will only be marked as suspect, as far as memory knows: several can be in one transaction.
  bool needs_mark(const pending_input& input);

  /// Suspect hand-overs that are marked in one transaction. Each is then tried before anything else is taken, alone.
  static constexpr std::size_t marks_max = 8;
  /// Trees loaded in one transaction. Their open turns are rebuilt while the server waits, which it does for 5 s (3.5):
  /// 32 with 1 MiB each take under 2 s (services/state-sync/README.md, "An open turn is rebuilt").
  static constexpr std::size_t loads_max = 32;

 private:
  struct tree_share {
    session_id root;
    std::vector<std::size_t> inputs;
  };
  struct run;

  committed_batch decide_and_write(run& r);
  std::vector<tree_share> share_out(run& r);
  void bring_into_memory(run& r, std::vector<tree_share>& shares);
  void decide(run& r, const tree_share& share, bool only_one);
  /// True when it is to be decided once more, after this is committed.
  bool apply_one(run& r, tree& state, const input& what, write_set& writes);
  void mark_written(const run& r);

  tree_cache& trees_;
  id_source& ids_;
  const std::string owner_;  ///< this life of an owner: whose suspect marks are its own (3.6)
};

}  // namespace throughline::state_sync
