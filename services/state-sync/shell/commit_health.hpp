#pragma once
// What the writers say of themselves. For /readyz, whether what is decided can be committed: the lock connection may be
// fine on a server whose disk is full or that has become read-only. And for ownership, whether this replica can write
// at all, or should leave its shards to those that can. Any thread.

#include <array>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>

namespace throughline::state_sync {

class commit_health {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::size_t writers_max = 16;
  /// One session may fail alone (design 3.6); so many failures of a writer in a row, or failing for so long, and no
  /// commit between, are more.
  static constexpr unsigned failures_max = 3;
  static constexpr std::chrono::seconds failing_max{5};
  /// A writer that has something to commit tries again at least once a second. One that gave it up says nothing more.
  static constexpr std::chrono::seconds word_age_max{12};
  /// From the begin of the first attempt to connect that failed to the end of the last, none of them longer than
  /// `word_age_max` after the one before.
  static constexpr std::chrono::seconds unconnected_max{2};
  /// Longer than any one statement may take: the writer is stuck, e.g. in an `apply` that does not end.
  static constexpr std::chrono::seconds standing_still_max{15};
  /// The same where nobody else takes the shards.
  static constexpr std::chrono::seconds hopeless_max{30};

  void worked(std::size_t writer);
  void failed(std::size_t writer, const std::string& why, time_point now);
  /// An attempt to connect, from `began` to `ended`; `why_not` empty: it worked.
  void connecting(std::size_t writer, const std::string& why_not, time_point began, time_point ended);
  /// It looks for work, or begins something that may take so much `longer` than the usual bounds.
  void goes_on(std::size_t writer, time_point now, std::chrono::milliseconds longer = {});
  /// The whole process stood still until now.
  void was_paused(time_point now);
  /// Others of this process can connect now: what writers said of it before does not count any more.
  void can_connect();

  /// Why a writer cannot commit; empty when all can, as far as is known.
  std::string why_not(time_point now) const;
  /// Why a writer can do nothing for any of its sessions; empty when all can, as far as is known. What fails on an open
  /// connection is not meant: that may be one session's doing, and would go with it to the next owner.
  std::string cannot_write(time_point now) const;
  /// A writer that a new connection does not help.
  bool stands_still(time_point now) const;
  /// One that only another life of the process helps: nothing waits for it here any more, or it has been so for long.
  bool hopeless(time_point now, bool holds_shards) const;

 private:
  struct commit_record {
    unsigned failures = 0;
    std::string why;
    time_point first{};
    time_point last{};
  };
  struct connect_record {
    std::string why;  ///< empty: the last attempt worked, or there was none
    time_point began{};
    time_point ended{};
  };
  bool any_stands_still(time_point now, std::chrono::seconds longest = standing_still_max) const;

  mutable std::mutex guard_;
  std::array<commit_record, writers_max> commits_;
  std::array<connect_record, writers_max> connects_;
  std::array<time_point, writers_max> went_on_{};  ///< epoch: never heard of
};

}  // namespace throughline::state_sync
