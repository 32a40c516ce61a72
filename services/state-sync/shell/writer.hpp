#pragma once
// One writer: a thread, a connection, the session trees of its shards. Takes what has piled up, commits it in one
// transaction, publishes, replies; no waiting for batches (design 3.6). `offer` and the other public members may be
// called from any thread.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "services/state-sync/shell/committer.hpp"
#include "services/state-sync/shell/connector.hpp"
#include "services/state-sync/shell/cut_counts.hpp"
#include "services/state-sync/shell/deadline_heap.hpp"
#include "services/state-sync/shell/held_inputs.hpp"
#include "services/state-sync/shell/inbox.hpp"
#include "services/state-sync/shell/probe.hpp"
#include "services/state-sync/shell/publisher.hpp"
#include "services/state-sync/shell/pulse.hpp"
#include "services/state-sync/shell/reply_desk.hpp"
#include "services/state-sync/shell/shard_share.hpp"

namespace throughline::state_sync {

/// What a writer needs of the rest; all of it outlives the writer.
struct writer_surroundings {
  const io::database& database;
  publisher& out;
  reply_desk& replies;
  const probe& counts;
  const pulse& process;
  std::function<standing(shard_number)> of;  ///< what this replica may do for a shard now
  std::function<bool()> nats_up;
  limits bounds;
  /// What became of an attempt to commit; `why_not` empty: it worked.
  std::function<void(std::size_t writer, const std::string& why_not)> attempted = [](std::size_t, const auto&) {};
  /// What became of an attempt to connect that began then; `why_not` empty: it worked.
  std::function<void(std::size_t writer, const std::string& why_not, std::chrono::steady_clock::time_point began)>
      connecting = [](std::size_t, const auto&, auto) {};
  /// It looks for work, or begins something that may take so much longer than the usual bounds.
  std::function<void(std::size_t writer, std::chrono::milliseconds longer)> goes_on = [](std::size_t, auto) {};
};

class writer {
 public:
  writer(std::size_t number, writer_surroundings around);
  ~writer();  ///< `stop`
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

  /// False, and `input` untouched, when too much waits: answer busy.
  [[nodiscard]] bool offer(pending_input& input);
  void shards_taken(std::vector<shard_number> shards);
  /// What was taken before is finished, as far as it can be at once; the rest is put off, and `done` is called on the
  /// writer's thread.
  void shards_lost(std::vector<shard_number> shards, std::function<void()> done = {});
  /// Tells the senders of what has not been looked at in time, while the writer waits for the database or has too much
  /// to do, to repeat it: nothing has happened, and nothing of it was tried. To be called every 100 ms or so.
  void answer_waiting();
  /// NATS was down or the process stood still until now.
  void was_deaf_until_now();

  /// Finishes what was taken, as far as the database answers, and ends the thread.
  void stop();
  std::uint64_t epoch() const { return epoch_; }

 private:
  using clock = std::chrono::steady_clock;
  struct taken {
    std::vector<shard_number> shards;
  };
  struct lost {
    std::vector<shard_number> shards;
    std::function<void()> done;
  };
  struct deaf {};
  using item = std::variant<pending_input, taken, lost, deaf>;
  using inputs = std::vector<pending_input>;

  // writer.cpp: the loop
  void run();
  bool ready();
  inputs gather();
  clock::time_point wake_at() const;
  void accept(item what, inputs& batch);
  void line_up(pending_input input, inputs& batch);
  bool try_again();
  void wait_out();
  void add_due(inputs& batch);
  void add_loads(inputs& batch);
  bool renewed_as_it_is(const pending_input& input);
  bool hear_afresh(const session_id& root);
  void hear_all_afresh();
  void leave_shards();
  void look_for_open(clock::time_point now);
  void look_into(const session_id& root);
  void clean_up(clock::time_point now);
  void drop_memory();

  // writer_settle.cpp: what becomes of a batch
  /// `hurried`: of one session, and tried before.
  void settle(inputs batch, bool hurried = false);
  void beware(inputs& batch);
  void frames_stored(const inputs& batch);
  void try_alone();
  void try_marked(const std::vector<session_id>& marked);
  void answer_spent();
  void finish(committed_batch&& done, inputs& batch, clock::time_point began);
  std::optional<clock::time_point> deadline_of(const session_id& root);
  void set_deadline(const session_id& root);
  void quarantine(const broken_tree& tree, inputs& batch);
  void failed(const std::exception& why, inputs batch);
  void pause_all(inputs batch);
  void cut_off(inputs batch);
  void count_cut(const inputs& part);
  void part_sessions(inputs batch);
  void split(inputs batch);
  void settle_alone(pending_input input);
  void turn_away(inputs& batch);
  bool turned_away(pending_input& input, standing of_shard, clock::time_point now);
  void busy(const pending_input& input, deferral why, std::uint32_t after_ms);
  void not_owner(const pending_input& input);

  const std::size_t number_;
  writer_surroundings around_;
  inbox<item> inbox_;
  tree_cache trees_;
  deadline_heap deadlines_;
  id_source ids_;
  committer committer_;
  std::atomic<std::uint64_t> epoch_ = 0;

  std::unique_ptr<io::database_connection> connection_;
  std::unique_ptr<store> store_;

  std::set<session_id> backlog_;  ///< roots of open trees that are not in memory, or not as they are stored
  held_inputs held_;              ///< to be tried again, before anything younger of their sessions
  bool database_down_ = false;    ///< nothing is tried until `down_until_`
  clock::time_point down_until_{};
  std::uint64_t commits_ = 0;
  unsigned failures_ = 0;  ///< of the connection or of everything, in a row
  unsigned cuts_ = 0;      ///< of the connection within a transaction, since the last commit
  cut_counts cuts_by_frames_;
  std::unordered_map<session_id, clock::time_point> quarantined_;
  std::unordered_set<unsigned> shards_;
  std::vector<shard_number> fresh_;  ///< taken, their last events not yet published again
  std::vector<lost> leaving_;        ///< to be left when the batch in hand is settled
  clock::time_point next_look_{};
  clock::time_point next_cleanup_{};
  instant database_time_{};  ///< at `database_time_read_`
  clock::time_point database_time_read_{};
  std::thread thread_;
};

}  // namespace throughline::state_sync
