#include "tests/simulation/database.hpp"

#include <algorithm>
#include <utility>

#include "common/codec/render.hpp"
#include "tests/simulation/violation.hpp"

namespace throughline::simulation {

stored_event render(const event& e) {
  std::string body;
  codec::render_event(body, e);
  return {e.session, e.at, codec::headers_of(e), std::make_shared<const std::string>(std::move(body))};
}

namespace {

constexpr micros idle_max{5'000'000};  ///< idle_session_timeout, idle_in_transaction_session_timeout
constexpr micros checkpoint_lag{60'000'000};

}  // namespace

bool database::lock(const void* who, micros now) {
  if (locked_by_ != nullptr && locked_by_ != who && now - locked_at_ <= idle_max) return false;
  locked_by_ = who;
  locked_at_ = now;
  return true;
}

void database::unlock(const void* who) {
  if (locked_by_ == who) locked_by_ = nullptr;
}

database::link database::open_link(micros now) {
  links_[++last_link_] = now;
  return last_link_;
}

bool database::is_open(link which, micros now) const {
  const auto at = links_.find(which);
  return at != links_.end() && now - at->second <= idle_max;
}

bool database::beat(link which, micros now) {
  if (!is_open(which, now)) return false;
  links_[which] = now;
  return true;
}

bool database::take_shard(link which, micros now) {
  if (shard_held_by_ != which && is_open(shard_held_by_, now)) return false;
  shard_held_by_ = which;
  return true;
}

void database::release_shard(link which) {
  if (shard_held_by_ == which) shard_held_by_ = 0;
}

void database::establish_epoch(std::uint64_t highest_seen, bool from_checkpoint, micros now) {
  const bool unseen = from_checkpoint && now - promoted_at_ < checkpoint_lag;
  if (unseen || timeline_ == server_) return;
  timeline_ = server_;
  epoch_ = std::max(epoch_, highest_seen) + 1;
  if (promoted_) histories_[epoch_] = *std::exchange(promoted_, std::nullopt);
  back_up();
}

fence_marks database::marks() const {
  fence_marks out;
  for (const auto& h : rows_.load(root_).heads) out[h.id] = {h.epoch, h.version};
  return out;
}

void database::commit(row_store written, const std::vector<stored_event>& events) {
  rows_ = std::move(written);
  if (promoted_) histories_[epoch_] = *std::exchange(promoted_, std::nullopt);
  for (const auto& e : events) {
    auto& l = histories_[epoch_][e.session];
    must(e.at == position(epoch_, l.events.size() + 1), "gapless",
         "event " + to_text(e.at) + " after " + std::to_string(l.events.size()));
    l.fold.apply(*e.body);
    l.events.push_back(e);
    l.digests.push_back(l.fold.digest());
  }
}

bool database::fail_over(micros now) {
  if (!backup_) return false;
  auto next = promoted_.value_or(histories_[epoch_]);
  rows_ = backup_->rows;
  epoch_ = backup_->epoch;
  timeline_ = backup_->timeline;
  for (auto& [id, l] : next) {
    const auto kept = rows_.events(id).size();
    if (kept >= l.events.size()) continue;
    l.events.resize(kept);
    l.digests.resize(kept);
    l.fold = view();
    for (const auto& e : l.events) l.fold.apply(*e.body);
  }
  std::erase_if(next, [](const auto& one) { return one.second.events.empty(); });
  promoted_ = std::move(next);
  ++server_;
  promoted_at_ = now;
  locked_by_ = nullptr;
  links_.clear();
  shard_held_by_ = 0;
  return true;
}

std::optional<stored_event> database::newest_event(const session_id& id) const {
  const auto* l = log_of(id, {epoch_, 1});
  return l == nullptr ? std::nullopt : std::optional(l->events.back());
}

const database::log* database::log_of(const session_id& session, position at) const {
  const auto h = histories_.find(at.epoch);
  if (h == histories_.end()) return nullptr;
  const auto found = h->second.find(session);
  return found == h->second.end() || found->second.events.size() < at.seq ? nullptr : &found->second;
}

const stored_event* database::find(const session_id& session, position at) const {
  const auto* l = at.seq == 0 ? nullptr : log_of(session, at);
  return l == nullptr ? nullptr : &l->events[at.seq - 1];
}

std::uint64_t database::digest_at(const session_id& session, position at) const {
  const auto* l = at.seq == 0 ? nullptr : log_of(session, at);
  must(l != nullptr, "commit_before_publish", "a viewer is at " + to_text(at) + ", which is not committed");
  return l->digests[at.seq - 1];
}

std::vector<const stored_event*> database::between(const session_id& session, std::uint64_t from, position to) const {
  std::vector<const stored_event*> out;
  const auto* l = log_of(session, to);
  for (auto seq = from; l != nullptr && seq < to.seq; ++seq) out.push_back(&l->events[seq]);
  return out;
}

std::string database::text_at(const session_id& session, position at) const {
  view fold;
  const auto* l = log_of(session, at);
  for (std::uint64_t i = 0; l != nullptr && i < at.seq; ++i) fold.apply(*l->events[i].body);
  return fold.text();
}

}  // namespace throughline::simulation
