#pragma once
// Whether what is decided can be committed, for /readyz: the lock connection may be fine on a server whose disk is full
// or that has become read-only. Any thread.

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

  void worked(std::size_t writer);
  void failed(std::size_t writer, const std::string& why, time_point now);
  /// Why a writer cannot commit; empty when all can, as far as is known.
  std::string why_not(time_point now) const;

 private:
  struct record {
    unsigned failures = 0;
    std::string why;
    time_point first{};
    time_point last{};
  };
  mutable std::mutex guard_;
  std::array<record, writers_max> writers_;
};

}  // namespace throughline::state_sync
