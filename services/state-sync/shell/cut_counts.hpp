#pragma once
// How many connections the frames of an attachment have cost, each tried with nothing of another session beside them
// (design 3.6). Not in their input: its sender gives each one up after a second or so, and sends the frames again as
// another one. Pure: times are given. One thread.

#include <chrono>
#include <cstddef>
#include <unordered_map>

#include "common/base/id.hpp"

namespace throughline::state_sync {

class cut_counts {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  /// Since the last cut. Above what lies between two tries of frames that are repeated: other sessions go before them.
  static constexpr std::chrono::minutes remembered{5};
  static constexpr std::size_t attachments_max = 4096;

  void add(const attachment_id& of, time_point now);
  /// Its frames have been committed.
  void clear(const attachment_id& of) { counts_.erase(of); }
  unsigned of(const attachment_id& which, time_point now) const;

 private:
  struct count {
    unsigned cuts = 0;
    time_point last{};
  };
  std::unordered_map<attachment_id, count> counts_;
};

}  // namespace throughline::state_sync
