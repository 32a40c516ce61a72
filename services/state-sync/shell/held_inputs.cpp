#include "services/state-sync/shell/held_inputs.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "services/state-sync/shell/batch_split.hpp"

namespace throughline::state_sync {
namespace {

std::size_t weight_of(const held_inputs::inputs& items) {
  std::size_t bytes = 0;
  for (const auto& i : items) bytes += i.weight;
  return bytes;
}

}  // namespace

held_inputs::waiting& held_inputs::place(const session_id& session) {
  if (sessions_.size() >= remembered_max && !sessions_.contains(session)) {
    std::erase_if(sessions_, [](const auto& each) { return each.second.items.empty(); });
  }
  return sessions_[session];
}

void held_inputs::put_in_front(waiting& into, inputs batch) {
  const auto bytes = weight_of(batch);
  items_ += batch.size();
  bytes_ += bytes;
  into.bytes += bytes;
  batch.insert(batch.end(), std::make_move_iterator(into.items.begin()), std::make_move_iterator(into.items.end()));
  into.items = std::move(batch);
}

held_inputs::inputs held_inputs::take(waiting& from) {
  items_ -= from.items.size();
  bytes_ -= from.bytes;
  from.bytes = 0;
  return std::exchange(from.items, {});
}

void held_inputs::put_back(inputs batch, time_point until) {
  for (auto& part : split_by_session(std::move(batch))) {
    auto& at = place(part.front().to);
    put_in_front(at, std::move(part));
    at.due = at.failures == 0 ? until : std::max(until, at.due);
  }
}

void held_inputs::put_back_alone(inputs of_one, time_point now) {
  if (of_one.empty()) return;
  auto& at = place(of_one.front().to);
  put_in_front(at, std::move(of_one));
  at.due = now + std::min(pause_min * (1u << std::min(at.failures, 5u)), pause_max);
  at.failed_at = now;
  ++at.failures;
}

void held_inputs::put_back_apart(inputs batch, time_point now) {
  for (auto& part : split_by_session(std::move(batch))) {
    auto& at = place(part.front().to);
    put_in_front(at, std::move(part));
    at.due = now;
    at.failed_at = now;
    at.failures = std::max(at.failures, 1u);
  }
}

void held_inputs::put_behind(inputs batch, time_point until) {
  for (auto& input : batch) {
    auto& at = place(input.to);
    at.due = std::max(at.due, until);
    ++items_;
    bytes_ += input.weight;
    at.bytes += input.weight;
    at.items.push_back(std::move(input));
  }
}

bool held_inputs::waits(const session_id& session) const {
  const auto found = sessions_.find(session);
  return found != sessions_.end() && !found->second.items.empty();
}

void held_inputs::settled(const session_id& session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  if (found->second.items.empty()) {
    sessions_.erase(found);
  } else {
    found->second.failures = 0;
  }
}

bool held_inputs::append(pending_input& input) {
  auto& at = place(input.to);
  if (at.items.size() >= session_max.items || items_ >= total_max.items) return false;
  if (!at.items.empty() && at.bytes + input.weight > session_max.bytes) return false;
  if (bytes_ + input.weight > total_max.bytes) return false;
  ++items_;
  bytes_ += input.weight;
  at.bytes += input.weight;
  at.items.push_back(std::move(input));
  return true;
}

held_inputs::inputs held_inputs::take_due(time_point now, inbox_bounds most) {
  inputs due;
  std::size_t bytes = 0;
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    auto& w = at->second;
    const bool fits = due.empty() || (due.size() + w.items.size() <= most.items && bytes + w.bytes <= most.bytes);
    if (w.failures > 0 || w.due > now || !fits) {
      ++at;
      continue;
    }
    bytes += w.bytes;
    auto taken = take(w);
    due.insert(due.end(), std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end()));
    at = sessions_.erase(at);
  }
  return due;
}

std::vector<held_inputs::inputs> held_inputs::take_due_alone(time_point now, std::size_t most) {
  std::vector<waiting*> due;
  for (auto& [session, w] : sessions_) {
    if (w.failures > 0 && w.due <= now && !w.items.empty()) due.push_back(&w);
  }
  std::ranges::sort(due, {}, [](const waiting* w) { return w->due; });
  if (due.size() > most) due.resize(most);
  std::vector<inputs> parts;
  for (auto* w : due) parts.push_back(take(*w));
  return parts;
}

held_inputs::inputs held_inputs::take_nearly_spent(time_point now) {
  inputs spent;
  for (auto& [session, w] : sessions_) {
    if (std::ranges::none_of(w.items, [&](const auto& i) { return i.nearly_spent(now); })) continue;
    inputs kept;
    for (auto& i : take(w)) (i.nearly_spent(now) ? spent : kept).push_back(std::move(i));
    put_in_front(w, std::move(kept));
  }
  std::erase_if(sessions_, [](const auto& each) { return each.second.items.empty() && each.second.failures == 0; });
  return spent;
}

held_inputs::inputs held_inputs::take_of(const std::function<bool(const session_id&)>& sessions) {
  inputs all;
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    if (!sessions(at->first)) {
      ++at;
      continue;
    }
    auto taken = take(at->second);
    all.insert(all.end(), std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end()));
    at = sessions_.erase(at);
  }
  return all;
}

held_inputs::inputs held_inputs::take_all() {
  return take_of([](const session_id&) { return true; });
}

std::optional<held_inputs::time_point> held_inputs::earliest() const {
  std::optional<time_point> first;
  for (const auto& [session, w] : sessions_) {
    if (!w.items.empty() && (!first || w.due < *first)) first = w.due;
  }
  return first;
}

bool held_inputs::only_failing() const {
  return std::ranges::all_of(sessions_,
                             [](const auto& each) { return each.second.items.empty() || each.second.failures > 0; });
}

void held_inputs::forget_quiet(time_point now) {
  std::erase_if(sessions_, [&](const auto& each) {
    return each.second.items.empty() && now - each.second.failed_at >= remembered;
  });
}

}  // namespace throughline::state_sync
