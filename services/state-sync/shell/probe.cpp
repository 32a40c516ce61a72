#include "services/state-sync/shell/probe.hpp"

namespace throughline::state_sync {
namespace {

double seconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace

probe::probe(ops::metrics_registry& r)
    : batches_(r.make_counter("throughline_state_sync_batches_total", "Transactions committed by writers.")),
      inputs_(r.make_counter("throughline_state_sync_inputs_total", "Inputs decided and committed.")),
      events_(r.make_counter("throughline_state_sync_events_total", "Events committed.")),
      retries_(r.make_counter("throughline_state_sync_batch_retries_total",
                              "Batches kept after an error of the environment.")),
      splits_(r.make_counter("throughline_state_sync_batch_splits_total", "Batches split to find an input at fault.")),
      in_doubt_(r.make_counter("throughline_state_sync_commits_in_doubt_total", "COMMITs without a certain outcome.")),
      stale_(r.make_counter("throughline_state_sync_trees_stale_total",
                            "Session trees reloaded because the fence had moved.")),
      quarantined_(
          r.make_counter("throughline_state_sync_quarantined_total", "Session trees put aside: a broken invariant.")),
      refused_(r.make_counter("throughline_state_sync_inputs_refused_total", "Inputs that could not be stored.")),
      expired_(r.make_counter("throughline_state_sync_inputs_expired_total",
                              "Inputs dropped: their sender had stopped waiting.")),
      busy_(r.make_counter("throughline_state_sync_inputs_busy_total", "Inputs answered busy.")),
      ignored_(r.make_counter("throughline_state_sync_frames_ignored_total",
                              "Agent frames of threads that are unknown or retired.")),
      malformed_(r.make_counter("throughline_state_sync_messages_malformed_total", "Messages that did not decode.")),
      unpublished_(
          r.make_counter("throughline_state_sync_events_unpublished_total", "Committed events NATS did not take.")),
      reads_(r.make_counter("throughline_state_sync_reads_total", "Reads answered.")),
      reads_busy_(r.make_counter("throughline_state_sync_reads_busy_total", "Reads answered busy.")),
      orders_(r.make_counter("throughline_state_sync_orders_total", "Orders sent to bridges, repeats included.")),
      orders_dropped_(r.make_counter("throughline_state_sync_orders_dropped_total",
                                     "Orders given up: a bridge that never answered, or too many.")),
      not_owned_(r.make_counter("throughline_state_sync_inputs_not_owned_total",
                                "Inputs answered not_owner: their shard had gone to another replica.")),
      taken_(r.make_counter("throughline_state_sync_shard_moves_total", "Shards taken, given up and lost.",
                            {{"how", "taken"}})),
      given_up_(r.make_counter("throughline_state_sync_shard_moves_total", "Shards taken, given up and lost.",
                               {{"how", "given_up"}})),
      lost_(r.make_counter("throughline_state_sync_shard_moves_total", "Shards taken, given up and lost.",
                           {{"how", "lost"}})),
      renewals_(r.make_counter("throughline_state_sync_renewals_unwritten_total",
                               "Renewals that changed nothing: answered without a transaction.")),
      batch_size_(r.make_histogram("throughline_state_sync_batch_inputs", "Inputs per transaction.",
                                   {1, 2, 5, 10, 20, 50, 100, 200, 512})),
      commit_seconds_(r.make_histogram("throughline_state_sync_commit_seconds", "Time of a write transaction.",
                                       ops::latency_bounds())),
      read_seconds_(r.make_histogram("throughline_state_sync_read_seconds", "Time of a read, waiting included.",
                                     ops::latency_bounds())),
      depth_{r.make_gauge("throughline_state_sync_inbox_depth", "Inputs waiting.", {{"writer", "0"}}),
             r.make_gauge("throughline_state_sync_inbox_depth", "Inputs waiting.", {{"writer", "1"}})},
      trees_{r.make_gauge("throughline_state_sync_trees", "Session trees in memory.", {{"writer", "0"}}),
             r.make_gauge("throughline_state_sync_trees", "Session trees in memory.", {{"writer", "1"}})},
      shards_(r.make_gauge("throughline_state_sync_shards_held", "Shards this replica owns.")),
      epoch_(r.make_gauge("throughline_state_sync_epoch", "The database's epoch.")) {}

void probe::batch_committed(std::size_t inputs, std::size_t events, std::chrono::steady_clock::duration took) const {
  batches_.add();
  inputs_.add(static_cast<double>(inputs));
  events_.add(static_cast<double>(events));
  batch_size_.observe(static_cast<double>(inputs));
  commit_seconds_.observe(seconds(took));
}

void probe::read_answered(std::chrono::steady_clock::duration took) const {
  reads_.add();
  read_seconds_.observe(seconds(took));
}

}  // namespace throughline::state_sync
