#pragma once
// The database of a run: rows, the lock and the fence of design 3.3, an epoch, failovers that lose commits, and a
// ledger of every committed event with what a viewer at that position must show.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/codec/event_headers.hpp"
#include "common/model/reply.hpp"
#include "tests/simulation/view.hpp"
#include "tests/support/row_store.hpp"

namespace throughline::simulation {

using tests::row_store;

struct stored_event {
  session_id session;
  position at;
  codec::event_headers headers;
  std::shared_ptr<const std::string> body;
};

/// (epoch, version) by session: what a loaded tree was read at.
using fence_marks = std::map<session_id, std::pair<std::uint64_t, std::uint64_t>>;

class database {
 public:
  const row_store& rows() const { return rows_; }
  std::uint64_t epoch() const { return epoch_; }
  const session_id& root() const { return root_; }
  void root_is(session_id root) { root_ = std::move(root); }

  /// The lock on the rows of the one tree of a run; false while another holds it.
  bool lock(const void* who);
  void unlock(const void* who);
  fence_marks marks() const;

  /// What was written on a copy of `rows()` becomes true.
  void commit(row_store written, const std::vector<stored_event>& events);
  /// An asynchronous replica is promoted: what was committed after `backup` is lost, and the epoch rises (3.4).
  void fail_over();
  void back_up() { backup_ = rows_; }
  bool has_lost_commits() const { return epoch_ > 1; }

  session_reading snapshot(const session_id& session) const;
  session_reading events_after(const session_id& session, position since, std::uint64_t limit) const;
  head_reading head(const session_id& session) const;
  std::optional<stored_event> newest_event(const session_id& session) const;

  /// The event as committed in the history that `at.epoch` saw; null when there is none.
  const stored_event* find(const session_id& session, position at) const;
  /// What a viewer at this position must show.
  std::uint64_t digest_at(const session_id& session, position at) const;
  std::string text_at(const session_id& session, position at) const;

 private:
  struct log {
    std::vector<stored_event> events;
    std::vector<std::uint64_t> digests;
    view fold;
  };
  using history = std::map<session_id, log>;

  const log* log_of(const session_id& session, position at) const;
  session value_of(const session_id& session) const;

  row_store rows_;
  std::optional<row_store> backup_;
  std::map<std::uint64_t, history> histories_;  ///< by epoch
  std::uint64_t epoch_ = 1;
  session_id root_;
  const void* locked_by_ = nullptr;
};

stored_event render(const event& e);

}  // namespace throughline::simulation
