#pragma once
// The one answer to a `renew`, put together from what is decided session by session. Pure.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "common/model/reply.hpp"

namespace throughline::state_sync {

class renewal_answer {
 public:
  explicit renewal_answer(std::vector<attachment_id> of) : missing_(of.size()) {
    for (auto& attachment : of) parts_.push_back({std::move(attachment), renewal_fault::deferred, false});
  }

  /// What was decided, or not, about the attachment at `which`; the first word counts.
  void add(std::size_t which, const reply& what, std::uint64_t epoch) {
    auto& part = parts_.at(which);
    if (std::exchange(part.heard, true)) return;
    --missing_;
    const auto* decided = std::get_if<noted>(&what);
    if (decided == nullptr) return;
    // Of two epochs the lower: it must not be believed by somebody who knows of a higher one.
    epoch_ = epoch_ == 0 ? epoch : std::min(epoch_, epoch);
    part.why = fault_of(*decided);
  }

  bool complete() const { return missing_ == 0; }
  /// Of those who decided; 0 where nobody has, which then only defers.
  std::uint64_t epoch() const { return epoch_; }
  /// What is not decided is deferred.
  renewed so_far() const {
    renewed all;
    for (const auto& part : parts_) {
      if (part.why) all.except.push_back({part.attachment, *part.why});
    }
    return all;
  }

 private:
  struct part {
    attachment_id attachment;
    std::optional<renewal_fault> why;  ///< none: renewed
    bool heard = false;
  };
  static std::optional<renewal_fault> fault_of(const noted& what) {
    if (!what.known) return renewal_fault::unknown;
    return what.superseded ? std::optional(renewal_fault::superseded) : std::nullopt;
  }

  std::vector<part> parts_;
  std::size_t missing_;
  std::uint64_t epoch_ = 0;
};

}  // namespace throughline::state_sync
