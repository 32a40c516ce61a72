#include "common/replay/ring.hpp"

#include <utility>

namespace throughline::replay {
namespace {

std::size_t size_of(const live_event& e) {
  return e.body ? e.body->size() : 0;
}

}  // namespace

void ring::add(live_event event) {
  if (!events_.empty()) {
    const auto& last = events_.back().at;
    if (event.at.epoch != last.epoch || event.at.seq != last.seq + 1) clear();
  }
  bytes_ += size_of(event);
  events_.push_back(std::move(event));
  while (!events_.empty() && (events_.size() > limits_.count || bytes_ > limits_.bytes)) {
    bytes_ -= size_of(events_.front());
    events_.pop_front();
  }
}

std::optional<std::vector<live_event>> ring::after(position since) const {
  if (events_.empty()) return std::nullopt;
  const auto& first = events_.front().at;
  const auto& last = events_.back().at;
  if (since.epoch != last.epoch || since.seq > last.seq || since.seq + 1 < first.seq) return std::nullopt;
  const auto skip = static_cast<std::ptrdiff_t>(since.seq + 1 - first.seq);
  return std::vector<live_event>(events_.begin() + skip, events_.end());
}

void ring::clear() {
  events_.clear();
  bytes_ = 0;
}

}  // namespace throughline::replay
