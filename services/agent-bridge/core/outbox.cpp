#include "services/agent-bridge/core/outbox.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/delta/text.hpp"

namespace throughline::agent_bridge {
namespace {

/// Of a frame besides its strings: so that many small ones count as well.
constexpr std::size_t frame_overhead = 128;

struct text_size {
  std::size_t operator()(const agent::ping&) const { return 0; }
  std::size_t operator()(const agent::agent_ready& e) const { return e.agent_name.size(); }
  std::size_t operator()(const agent::thread_created& e) const { return e.title ? e.title->size() : 0; }
  std::size_t operator()(const agent::user_created_thread& e) const { return e.title ? e.title->size() : 0; }
  std::size_t operator()(const agent::thread_title_changed& e) const { return e.title.size(); }
  std::size_t operator()(const agent::message_added& e) const {
    return e.content.text.size() + e.tool_name.size() + e.tool_status.size();
  }
  std::size_t operator()(const agent::message_completed& e) const { return e.agent_name.size(); }
  std::size_t operator()(const agent::thread_load_error& e) const { return e.error.size(); }
  std::size_t operator()(const agent::chat_response_error& e) const { return e.error.size(); }
  std::size_t operator()(const agent::turn_cancelled&) const { return 0; }
};

bool same_entry(const agent::message_added& a, const agent::message_added& b) {
  return a.role == agent::author::assistant && b.role == a.role && a.thread == b.thread && a.message == b.message &&
         a.request == b.request && a.type == b.type && a.tool_name == b.tool_name && a.tool_status == b.tool_status;
}

}  // namespace

const agent::message_added* outbox::message_of(const frame& of) {
  return of.what.event ? std::get_if<agent::message_added>(&*of.what.event) : nullptr;
}

outbox::entry_key outbox::key_of(const agent::message_added& message) {
  return {message.thread, message.message, message.request};
}

void outbox::account(frame& of) {
  bytes_ -= of.cost;
  of.cost = frame_overhead + (of.what.event ? std::visit(text_size{}, *of.what.event) : 0);
  bytes_ += of.cost;
}

bool outbox::add(agent_event event, std::uint64_t agent_seq) {
  auto* message = std::get_if<agent::message_added>(&event);
  if (message && merge(*message, agent_seq)) return true;
  close_open();
  const bool is_message = message != nullptr;
  frames_.push_back({.what = {.number = ++last_number_, .event = std::move(event), .agent_seq = agent_seq}});
  account(frames_.back());
  open_ = is_message;
  return false;
}

void outbox::add_number(std::uint64_t agent_seq) {
  if (frames_.empty() || frames_.back().what.number <= sent_) {
    close_open();
    frames_.push_back({.what = {.number = ++last_number_, .event = {}, .agent_seq = 0}});
    account(frames_.back());
  }
  frames_.back().what.agent_seq = agent_seq;
}

bool outbox::merge(agent::message_added& update, std::uint64_t agent_seq) {
  if (!open_) return false;
  auto& newest = std::get<agent::message_added>(*frames_.back().what.event);
  if (!same_entry(newest, update)) return false;
  newest.content = std::move(update.content);
  frames_.back().what.agent_seq = agent_seq;
  account(frames_.back());
  return true;
}

void outbox::close_open() {
  if (!std::exchange(open_, false)) return;
  auto& newest = frames_.back();
  auto& message = std::get<agent::message_added>(*newest.what.event);
  const auto key = key_of(message);
  std::string content = std::move(message.content.text);
  std::uint64_t hash = 0;
  if (const auto known = bases_.find(key); known != bases_.end()) {
    const auto& before = known->second;
    message.content = delta::delta_between(before.content, before.hash, content);
    hash = delta::hash_after(before.content.size(), before.hash, message.content, content);
  } else {
    message.content = delta::whole(content);
    hash = delta::hash_of(content);
  }
  keep_base(key, newest, std::move(content), hash);
  account(newest);
}

void outbox::keep_base(const entry_key& key, frame& of, std::string content, std::uint64_t hash) {
  erase_base(key);
  make_room(content.size());
  if (base_bytes_ + content.size() > limits_.base_bytes_max) {
    // Without a base kept, this frame has to stand for itself: need_full finds the content in it.
    std::get<agent::message_added>(*of.what.event).content = delta::whole(std::move(content));
    return;
  }
  base_bytes_ += content.size();
  order_.push_back(key);
  bases_.emplace(key, base{std::move(content), hash, of.what.number, std::prev(order_.end())});
}

void outbox::erase_base(const entry_key& key) {
  const auto at = bases_.find(key);
  if (at == bases_.end()) return;
  base_bytes_ -= at->second.content.size();
  order_.erase(at->second.used);
  bases_.erase(at);
}

void outbox::make_room(std::size_t wanted) {
  const auto crowded = [&] {
    return base_bytes_ + wanted > limits_.base_bytes_max || bases_.size() >= limits_.frames_max;
  };
  for (auto at = order_.begin(); at != order_.end() && crowded();) {
    const auto key = *at++;
    if (bases_.at(key).last_number <= acknowledged_) erase_base(key);
  }
}

std::vector<numbered_frame> outbox::batch() {
  std::vector<numbered_frame> out;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    if (i + 1 == frames_.size()) close_open();
    const auto& next = frames_[i];
    const bool fits = out.size() < limits_.batch_frames_max && bytes + next.cost <= limits_.batch_bytes_max;
    if (!out.empty() && !fits) break;
    bytes += next.cost;
    out.push_back(next.what);
    sent_ = std::max(sent_, next.what.number);
  }
  return out;
}

bool outbox::acknowledge(std::uint64_t number) {
  if (number < acknowledged_ || number > sent_) return false;
  acknowledged_ = number;
  while (!frames_.empty() && frames_.front().what.number <= number) {
    const auto& oldest = frames_.front();
    acknowledged_agent_seq_ = std::max(acknowledged_agent_seq_, oldest.what.agent_seq);
    bytes_ -= oldest.cost;
    frames_.pop_front();
  }
  return true;
}

bool outbox::need_full(std::uint64_t number) {
  if (number <= acknowledged_ || number > sent_) return false;
  const auto first = frames_.begin() + static_cast<std::ptrdiff_t>(number - acknowledged_ - 1);
  const auto* asked = message_of(*first);
  if (!asked) return false;
  if (!asked->content.base) return true;  // in full already
  const auto key = key_of(*asked);
  std::vector<frame*> changes;  // of this entry from `number` on, up to the next that is whole
  const agent::message_added* full = nullptr;
  const auto end = frames_.end() - (open_ ? 1 : 0);  // the open frame is made from the base that follows from here
  for (auto at = first; at != end && !full; ++at) {
    const auto* message = message_of(*at);
    if (!message || key_of(*message) != key) continue;
    if (message->content.base) {
      changes.push_back(&*at);
    } else {
      full = message;
    }
  }
  if (!full) {  // the base kept is what these changes lead to
    auto& last = std::get<agent::message_added>(*changes.back()->what.event);
    last.content = delta::whole(bases_.at(key).content);
    account(*changes.back());
    full = &last;
    changes.pop_back();
  }
  const auto newest = *full;
  for (auto* change : changes) {
    change->what.event.reset();
    account(*change);
  }
  first->what.event = newest;
  account(*first);
  return true;
}

void outbox::drop_all() {
  frames_.clear();
  bases_.clear();
  order_.clear();
  bytes_ = base_bytes_ = 0;
  open_ = false;
  acknowledged_ = sent_ = last_number_;
}

}  // namespace throughline::agent_bridge
