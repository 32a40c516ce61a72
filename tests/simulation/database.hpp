#pragma once
// The database of a run: rows, the lock and the fence of design 3.3, an epoch, failovers that lose commits, and a
// ledger of every committed event with what a viewer at that position must show.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/instant.hpp"
#include "common/codec/event_headers.hpp"
#include "common/model/reply.hpp"
#include "common/model/request.hpp"
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

  /// The lock on the rows of the one tree of a run; false while another holds it. A transaction that stands still is
  /// thrown out after 5 s.
  bool lock(const void* who, micros now);
  void unlock(const void* who);
  bool is_locked_by(const void* who) const { return locked_by_ == who; }

  /// Connections that may hold the lock of the tree's shard (3.5). One that is silent for 5 s is thrown out, and all
  /// are gone with their server.
  using link = std::uint64_t;
  link open_link(micros now);
  bool beat(link which, micros now);  ///< false: it is gone
  void close_link(link which) { links_.erase(which); }
  bool take_shard(link which, micros now);
  void release_shard(link which);

  /// Counts promotions.
  std::uint64_t server() const { return server_; }
  /// Raises the epoch when the timeline is not the one it was raised for. `from_checkpoint`: the planted fault, a
  /// promotion shows only after a minute.
  void establish_epoch(std::uint64_t highest_seen, bool from_checkpoint, micros now);
  fence_marks marks() const;

  /// What was written on a copy of `rows()` becomes true.
  void commit(row_store written, const std::vector<stored_event>& events);
  /// An asynchronous replica is promoted: what was committed after `backup` is lost. False: there is none.
  bool fail_over(micros now);
  void back_up() { backup_ = saved{rows_, epoch_, timeline_}; }
  bool has_lost_commits() const { return server_ > 1; }

  // Reads, each of one moment.
  reading answer(const read_request& what) const;
  /// `head`: what an earlier statement said, where a snapshot is not of one moment.
  session_reading snapshot(const session_id& session, std::optional<position> head = std::nullopt) const;
  session_reading events_after(const session_id& session, position since, std::uint64_t limit) const;
  session_reading one_interaction(const session_id& session, const interaction_id& id) const;
  head_reading head(const session_id& session) const;
  std::optional<stored_event> newest_event(const session_id& session) const;

  /// The event as committed in the history that `at.epoch` saw; null when there is none.
  const stored_event* find(const session_id& session, position at) const;
  /// What a viewer at this position must show.
  std::uint64_t digest_at(const session_id& session, position at) const;
  std::string text_at(const session_id& session, position at) const;
  /// The committed events after `from` up to `to`, in the history that `to` belongs to.
  std::vector<const stored_event*> between(const session_id& session, std::uint64_t from, position to) const;

 private:
  struct log {
    std::vector<stored_event> events;
    std::vector<std::uint64_t> digests;
    view fold;
  };
  using history = std::map<session_id, log>;

  const log* log_of(const session_id& session, position at) const;
  session value_of(const session_id& session) const;
  turn_place place_in_queue(const session_id& session, const interaction_id& id, bool queued) const;

  struct saved {
    row_store rows;
    std::uint64_t epoch = 1, timeline = 1;
  };
  bool is_open(link which, micros now) const;

  row_store rows_;
  std::optional<saved> backup_;
  std::map<std::uint64_t, history> histories_;  ///< by epoch
  std::optional<history> promoted_;             ///< what the server has of it, while no epoch was raised for it
  std::uint64_t epoch_ = 1, timeline_ = 1;      ///< the stored row: for this timeline
  std::uint64_t server_ = 1;                    ///< also the timeline
  micros promoted_at_{0};
  session_id root_;
  const void* locked_by_ = nullptr;
  micros locked_at_{0};
  std::map<link, micros> links_;  ///< with when each was heard last
  link last_link_ = 0, shard_held_by_ = 0;
};

stored_event render(const event& e);

}  // namespace throughline::simulation
