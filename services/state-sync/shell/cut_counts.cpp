#include "services/state-sync/shell/cut_counts.hpp"

#include <algorithm>

namespace throughline::state_sync {

cut_counts::count& cut_counts::known(const attachment_id& of, std::uint64_t number, time_point now) {
  if (counts_.size() >= attachments_max && !counts_.contains(of)) {
    counts_.erase(std::ranges::min_element(counts_, {}, [](const auto& each) { return each.second.last; }));
  }
  auto& one = counts_[of];
  if (one.number != number || now - one.last >= remembered) one = {.number = number};
  one.last = now;
  return one;
}

void cut_counts::add(const attachment_id& of, std::uint64_t number, time_point now) {
  ++known(of, number, now).cuts;
}

void cut_counts::watch(const attachment_id& of, std::uint64_t number, time_point now) {
  known(of, number, now);
}

std::optional<cut_counts::count> cut_counts::of(const attachment_id& which, time_point now) const {
  const auto found = counts_.find(which);
  if (found == counts_.end() || now - found->second.last >= remembered) return std::nullopt;
  return found->second;
}

}  // namespace throughline::state_sync
