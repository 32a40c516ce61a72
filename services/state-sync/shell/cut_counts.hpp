#pragma once
// How many connections the frame of an attachment that comes next has cost, each time tried with nothing of another
// session beside it (design 3.6). Not in their input: its sender gives each one up after a second or so, and sends the
// frames again as another one. Pure: times are given. One thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "common/base/id.hpp"

namespace throughline::state_sync {

class cut_counts {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  /// Since the last cut. Above what lies between two tries of frames that are repeated: other sessions go before them.
  static constexpr std::chrono::minutes remembered{5};
  static constexpr std::size_t attachments_max = 4096;

  struct count {
    std::uint64_t number = 0;  ///< of the frame
    unsigned cuts = 0;
    time_point last{};
  };

  /// Another frame than the last time begins anew: what was cut may have been stored all the same.
  void add(const attachment_id& of, std::uint64_t number, time_point now);
  /// Stood behind something else that may be what cost the connection: it counts from its own first cut on.
  void watch(const attachment_id& of, std::uint64_t number, time_point now);
  /// Its frames have been committed.
  void clear(const attachment_id& of) { counts_.erase(of); }
  std::optional<count> of(const attachment_id& which, time_point now) const;

 private:
  count& known(const attachment_id& of, std::uint64_t number, time_point now);

  std::unordered_map<attachment_id, count> counts_;
};

}  // namespace throughline::state_sync
