#include "common/replay/splice.hpp"

#include <algorithm>
#include <utility>

namespace throughline::replay {
namespace {

std::size_t size_of(const live_event& e) {
  return e.body ? e.body->size() : 0;
}

}  // namespace

step splice::event(live_event arrived) {
  step out;
  const auto at = arrived.at;
  if (at.epoch < epoch_) return out;
  if (status_ == splice_status::awaiting_snapshot) {
    if (at.epoch > epoch_) {
      clear_buffer();
      epoch_ = at.epoch;
    }
    keep(std::move(arrived));
    return out;
  }
  if (at.epoch > epoch_) return start_over(at.epoch);
  if (at.seq <= held_.seq) return out;
  if (at.seq == held_.seq + 1) {
    pass(out, std::move(arrived));
    drain(out);
  } else if (!keep(std::move(arrived))) {
    return start_over(epoch_);
  }
  seek(out);
  return out;
}

step splice::snapshot(position head) {
  step out;
  const bool awaited = status_ == splice_status::awaiting_snapshot;
  if (head.epoch < epoch_) {
    out.stale = true;
    out.want_snapshot = awaited;
    return out;
  }
  if (!awaited) {
    if (head.epoch > epoch_) return start_over(head.epoch);
    if (head.seq > held_.seq) out.look_again = head;
    return out;
  }
  if (head.epoch > epoch_) clear_buffer();
  epoch_ = head.epoch;
  held_ = head;
  status_ = splice_status::live;
  drain(out);
  seek(out);
  return out;
}

step splice::snapshot_failed() {
  step out;
  out.want_snapshot = status_ == splice_status::awaiting_snapshot;
  return out;
}

step splice::range(std::vector<live_event> events, bool known) {
  step out;
  if (status_ != splice_status::fetching) return out;
  if (!known) return start_over(epoch_);
  status_ = splice_status::live;
  const auto before = held_.seq;
  for (auto& e : events) {
    if (e.at.epoch > epoch_) return start_over(e.at.epoch);
    if (e.at.epoch < epoch_ || e.at.seq <= held_.seq) continue;
    if (e.at.seq != held_.seq + 1) break;  // a range with a hole in it says nothing of what is behind the hole
    pass(out, std::move(e));
  }
  drain(out);
  if (held_.seq > before) {
    seek(out);
  } else if (known_to_ > held_.seq) {
    out.look_again = position{epoch_, known_to_};
  }
  return out;
}

step splice::range_failed() {
  return range({}, true);
}

step splice::head(position held_when_asked, position now) {
  step out;
  if (status_ == splice_status::awaiting_snapshot || now.epoch < epoch_) return out;
  if (now.epoch > epoch_) return start_over(now.epoch);
  // What was held when asked was held in this epoch and since the last reset: only then "behind" means loss.
  const bool comparable = held_when_asked.epoch == epoch_ && held_when_asked.seq <= held_.seq;
  if (comparable && now.seq < held_when_asked.seq) return start_over(epoch_);
  if (now.seq > held_.seq) out.look_again = now;
  return out;
}

step splice::head_again(position now) {
  step out;
  if (status_ == splice_status::awaiting_snapshot || now.epoch != epoch_) return out;
  known_to_ = std::max(known_to_, now.seq);
  seek(out);
  return out;
}

step splice::start_over(std::uint64_t epoch) {
  clear_buffer();
  epoch_ = epoch;
  held_ = {};
  status_ = splice_status::awaiting_snapshot;
  step out;
  out.reset = true;
  out.want_snapshot = true;
  return out;
}

bool splice::keep(live_event arrived) {
  const auto seq = arrived.at.seq;
  const auto bytes = size_of(arrived);
  known_to_ = std::max(known_to_, seq);
  if (!buffer_.try_emplace(seq, std::move(arrived)).second) return true;
  buffer_bytes_ += bytes;
  if (buffer_.size() <= limits_.count && buffer_bytes_ <= limits_.bytes) return true;
  buffer_.clear();
  buffer_bytes_ = 0;
  return false;
}

void splice::pass(step& out, live_event next) {
  held_ = next.at;
  out.forward.push_back(std::move(next));
}

/// Takes out of the buffer what follows what is held, and what is at or below it.
void splice::drain(step& out) {
  while (!buffer_.empty() && buffer_.begin()->first <= held_.seq + 1) {
    auto first = buffer_.extract(buffer_.begin());
    buffer_bytes_ -= size_of(first.mapped());
    if (first.key() == held_.seq + 1) pass(out, std::move(first.mapped()));
  }
}

/// Asks for what is known to exist and not held, once at a time.
void splice::seek(step& out) {
  if (status_ != splice_status::live || known_to_ <= held_.seq) return;
  status_ = splice_status::fetching;
  out.fetch = hole{held_, buffer_.empty() ? known_to_ : buffer_.begin()->first - 1};
}

void splice::clear_buffer() {
  buffer_.clear();
  buffer_bytes_ = 0;
  known_to_ = 0;
}

}  // namespace throughline::replay
