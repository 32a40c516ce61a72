#pragma once
// The session core: every decision about a session tree, as functions of values (design 3.12, section 6).
// `tree` is what one owner holds of one session tree in memory; it is only ever changed by `apply`, and thrown away
// whenever a transaction that held its changes did not commit.

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "services/state-sync/core/decision.hpp"
#include "services/state-sync/core/input.hpp"
#include "services/state-sync/core/rows.hpp"

namespace throughline::state_sync {

class tree_state;  ///< services/state-sync/core/tree.hpp

class tree {
 public:
  /// A tree as stored; no rows at all is a session that does not exist (create_session may make it).
  explicit tree(tree_rows rows);
  tree(tree&&) noexcept;
  tree& operator=(tree&&) noexcept;
  ~tree();

  /// Finished interactions whose records (entries in full) the input needs and that are not loaded; the shell reads
  /// them, gives them to `add_finished`, and only then calls `apply`.
  std::vector<std::pair<session_id, interaction_id>> facts_needed(const input& what) const;
  void add_finished(turn_row row);

  /// Frames that may have killed their owners (3.6): to be decided with nothing else in the transaction.
  bool is_suspect(const input& what) const;
  /// It is, and will only be marked, whatever else is in the transaction: `owner` has not tried it yet.
  bool needs_mark(const input& what, std::string_view owner) const;

  /// The last frame of the attachment that has been applied; 0 for one that is not known.
  std::uint64_t applied_of(const attachment_id& attachment) const;

  /// True, and its bridge's life is noted, for a renewal that `apply` would answer with `noted{}` and write nothing
  /// for; it needs no transaction. False, and nothing has changed, for one that must be decided.
  [[nodiscard]] bool renewed_as_it_is(const renewal& what, millis steady);

  /// This owner's own NATS connection was down, or its process paused, until now: bridge silence is counted afresh
  /// (6.2). Nothing of it is stored.
  void was_deaf_until(millis steady);

  /// Decides. On return this object holds the state after the changes; on a thrown `broken_invariant` it must be
  /// dropped.
  decision apply(const input& what, const context& at);

  /// When `time_passed` is due, on the database's clock or on the steady one; empty when nothing waits for time.
  struct deadlines {
    std::optional<instant> at;
    std::optional<millis> steady;
  };
  deadlines next_deadline() const;

  /// The sessions whose head rows a write may touch: the root and its children (3.3).
  std::vector<session_id> members() const;

 private:
  std::unique_ptr<tree_state> state_;
};

/// Thrown by `apply`: this session's state contradicts itself. The shell quarantines the session (3.6), not the
/// process.
struct broken_invariant {
  std::string what;
};

}  // namespace throughline::state_sync
