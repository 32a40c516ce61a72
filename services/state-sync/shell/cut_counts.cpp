#include "services/state-sync/shell/cut_counts.hpp"

#include <algorithm>

namespace throughline::state_sync {

void cut_counts::add(const attachment_id& of, time_point now) {
  if (counts_.size() >= attachments_max && !counts_.contains(of)) {
    counts_.erase(std::ranges::min_element(counts_, {}, [](const auto& each) { return each.second.last; }));
  }
  auto& known = counts_[of];
  if (now - known.last >= remembered) known.cuts = 0;
  ++known.cuts;
  known.last = now;
}

unsigned cut_counts::of(const attachment_id& which, time_point now) const {
  const auto found = counts_.find(which);
  return found == counts_.end() || now - found->second.last >= remembered ? 0 : found->second.cuts;
}

}  // namespace throughline::state_sync
