#pragma once
// Replies and orders of an epoch lower than one that was seen come from a process that does not know it is outdated
// (design 3.4). Pure.

#include <cstdint>

namespace throughline::agent_bridge {

class epoch_gate {
 public:
  /// False: to be ignored. 0 means that the sender does not know its epoch: such a message is a deferral.
  bool admit(std::uint64_t epoch) {
    if (epoch == 0) return true;
    if (epoch < highest_) return false;
    highest_ = epoch;
    return true;
  }
  std::uint64_t highest() const { return highest_; }

 private:
  std::uint64_t highest_ = 0;
};

}  // namespace throughline::agent_bridge
