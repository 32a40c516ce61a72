#pragma once
// What state-sync counts. Any thread.

#include <chrono>
#include <cstddef>

#include "common/ops/metrics.hpp"

namespace throughline::state_sync {

class probe {
 public:
  explicit probe(ops::metrics_registry& registry);

  void batch_committed(std::size_t inputs, std::size_t events, std::chrono::steady_clock::duration took) const;
  void batch_retried() const { retries_.add(); }
  void batch_split() const { splits_.add(); }
  void commit_in_doubt() const { in_doubt_.add(); }
  void trees_reloaded(std::size_t n) const { stale_.add(static_cast<double>(n)); }
  void tree_quarantined() const { quarantined_.add(); }
  void input_refused() const { refused_.add(); }
  void input_expired() const { expired_.add(); }
  void input_put_off() const { busy_.add(); }
  void input_not_owned() const { not_owned_.add(); }
  void renewed_as_it_is() const { renewals_.add(); }
  void frames_ignored(std::size_t n) const { ignored_.add(static_cast<double>(n)); }
  void message_malformed() const { malformed_.add(); }
  void events_not_published(std::size_t n) const { unpublished_.add(static_cast<double>(n)); }
  void inbox_depth(std::size_t writer, std::size_t items) const { depth_[writer % writers_max].set(double(items)); }
  void trees_in_memory(std::size_t writer, std::size_t n) const { trees_[writer % writers_max].set(double(n)); }
  void read_answered(std::chrono::steady_clock::duration took) const;
  void read_put_off() const { reads_busy_.add(); }
  void order_sent() const { orders_.add(); }
  void order_dropped() const { orders_dropped_.add(); }
  void shards_held(std::size_t n) const { shards_.set(static_cast<double>(n)); }
  void shards_taken(std::size_t n) const { taken_.add(static_cast<double>(n)); }
  void shards_given_up(std::size_t n) const { given_up_.add(static_cast<double>(n)); }
  void shards_lost(std::size_t n) const { lost_.add(static_cast<double>(n)); }
  void epoch_is(std::uint64_t epoch) const { epoch_.set(static_cast<double>(epoch)); }

  static constexpr std::size_t writers_max = 2;

 private:
  ops::counter batches_, inputs_, events_, retries_, splits_, in_doubt_, stale_, quarantined_, refused_, expired_,
      busy_, ignored_, malformed_, unpublished_, reads_, reads_busy_, orders_, orders_dropped_, not_owned_, taken_,
      given_up_, lost_, renewals_;
  ops::histogram batch_size_, commit_seconds_, read_seconds_;
  ops::gauge depth_[writers_max];
  ops::gauge trees_[writers_max];
  ops::gauge shards_, epoch_;
};

}  // namespace throughline::state_sync
