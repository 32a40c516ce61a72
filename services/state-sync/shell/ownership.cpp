#include "services/state-sync/shell/ownership.hpp"

#include <algorithm>
#include <utility>

#include "common/ops/log.hpp"
#include "services/state-sync/shell/store/shard_locks.hpp"

namespace throughline::state_sync {
namespace {

using std::chrono::milliseconds;

/// Every round is a beat.
constexpr milliseconds round_interval{500};
/// Two missed beats of one second.
constexpr milliseconds beat_age_max{2500};
/// PostgreSQL has thrown this backend out by then (idle_session_timeout is 5 s).
constexpr milliseconds answer_max{5000};
/// A NATS server that is restarted is back by then. When it is away from all replicas, all of them are off the list
/// before the first would give up shards, and everybody keeps what it has: somebody must run the clocks of turns.
constexpr milliseconds deaf_member_max{750};
constexpr milliseconds deaf_owner_max{1500};
/// The same for writers that cannot write, from when it was noticed (`commit_health::cannot_write`).
constexpr milliseconds unable_owner_max{750};
/// A server that answers is connected to by then; a slower one is looked at again with the next beat.
constexpr milliseconds trial_wait{100};

}  // namespace

ownership::ownership(const io::database& database, commit_health& writers, callbacks tell)
    : database_(database), writers_(writers), tell_(std::move(tell)) {}

ownership::~ownership() {
  stop();
}

void ownership::start() {
  started_ = true;
  thread_ = std::thread([this] { run(); });
}

void ownership::stop() {
  stopping_ = true;
  wake_.set();
  if (thread_.joinable()) thread_.join();
}

void ownership::hears(bool requests) {
  if (requests) {
    deaf_since_ = 0;
  } else if (deaf_since_ == 0) {
    deaf_since_ = started_ ? clock::now().time_since_epoch().count() : 1;
  }
  wake_.set();
}

standing ownership::of(shard_number shard) const {
  if (!held_[shard]) return standing::stranger;
  return certain() ? standing::owner : standing::in_doubt;
}

bool ownership::holds_any() const {
  return std::ranges::any_of(held_, [](const auto& held) { return held.load(); });
}

bool ownership::certain() const {
  return clock::now() - clock::time_point(clock::duration(last_beat_)) < beat_age_max;
}

bool ownership::deaf_for(milliseconds time) const {
  const auto since = deaf_since_.load();
  return since != 0 && clock::now() - clock::time_point(clock::duration(since)) >= time;
}

bool ownership::unable_for(milliseconds time) const {
  return unable_since_ && clock::now() - *unable_since_ >= time;
}

void ownership::run() {
  while (!stopping_) {
    round();
    const bool open = connection_ && connection_->usable();
    wake_.wait(open ? connection_->sql().sock() : -1, round_interval);
  }
  give_up_all();
}

void ownership::round() {
  try {
    if (!connect_now()) return;
    take_told(*connection_);
    const bool able = keep_membership();
    tried_.reset();
    const auto seen = look();
    if (able) tell_.database(true, "");
    const auto change = change_of(seen, number_);
    if (!change.take.empty()) take(change.take);
    const bool leaves = member_ || deaf_for(deaf_owner_max) || unable_for(unable_owner_max);
    if (!change.give_up.empty() && leaves) give_up(change.give_up);
  } catch (const std::exception& e) {
    const auto why = io::reason_of(e);
    ops::log::warn("lock_connection_lost", {{"why", why}});
    connection_lost();
    tell_.database(false, why);
  }
}

/// First the trial, which may take longer than PostgreSQL waits for a beat of the lock connection: of a list all hosts
/// are looked at, also those that swallow packets. After it the host is known.
bool ownership::connect_now() {
  if (connection_ && connection_->usable()) return true;
  connection_lost();
  auto tried = connect(database_, io::connection_role::work);
  auto opened = tried ? connect(database_, io::connection_role::lock) : std::move(tried);
  if (!opened) {
    tell_.database(false, opened.error());
    return false;
  }
  tried_ = std::move(tried->link);
  connection_ = std::move(opened->link);
  const auto watched = connection_->limit(answer_max);
  listen_for_changes(*connection_);
  return true;
}

/// On the list of members as long as this replica serves. False, and told why, when it would but cannot.
bool ownership::keep_membership() {
  const auto now = clock::now();
  const auto unable = writers_.cannot_write(now);
  if (unable.empty()) {
    unable_since_.reset();
  } else {
    unable_since_ = unable_since_.value_or(now);
    tell_.database(false, unable);
  }
  const bool hears = !deaf_for(deaf_member_max);
  if (member_ && hears && unable.empty()) {
    forget_trial();
    return true;
  }
  if (member_) {
    leave_members(hears ? unable : "deaf");
    return unable.empty();
  }
  const bool stuck = writers_.stands_still(now);
  if (!hears || stuck) {
    forget_trial();
    return unable.empty();
  }
  if (!try_to_connect()) return false;
  writers_.can_connect();
  unable_since_.reset();
  join_members();
  return true;
}

/// Whether a connection to write with has been opened just now: without one, as on a server that has none left, this
/// replica would only keep shards from others. On a thread of its own, for the lock connection has to go on beating.
bool ownership::try_to_connect() {
  if (tried_) {
    forget_trial();
    return true;
  }
  if (!trial_.valid()) {
    trial_ = std::async(std::launch::async, [this] { return connect(database_, io::connection_role::work); });
  }
  if (trial_.wait_for(trial_wait) != std::future_status::ready) return false;
  auto tried = trial_.get();
  if (!tried) tell_.database(false, tried.error());
  return tried.has_value();
}

/// Nobody waits for its result any more; later it would say how things were, and until then keep a connection.
void ownership::forget_trial() {
  if (trial_.valid() && trial_.wait_for(milliseconds(0)) == std::future_status::ready) trial_ = {};
}

void ownership::join_members() {
  const auto watched = connection_->limit(answer_max);
  do {
    number_ = static_cast<member_number>(system_entropy() & 0x7fffffff);
  } while (!join(*connection_, number_));
  member_ = true;
  ops::log::info("joined", {{"member", number_}});
  tell_of_change(*connection_);
}

void ownership::leave_members(std::string_view why) {
  const auto watched = connection_->limit(answer_max);
  leave(*connection_, number_);
  member_ = false;
  ops::log::warn("left", {{"member", number_}, {"why", why}});
  tell_of_change(*connection_);
}

/// What is no longer held is lost; what is held and was forgotten is not: `taken` has not been told of it.
shard_view ownership::look() {
  const auto sent_at = clock::now();
  shard_view seen;
  {
    const auto watched = connection_->limit(answer_max);
    seen = look_at_locks(*connection_);
  }
  std::vector<shard_number> lost;
  for (const auto shard : all_held()) {
    if (seen.holders[shard] != holder::self) lost.push_back(shard);
  }
  set_held(lost, false);
  // Not when the answer was read: a process that stood still in between reads an old one.
  last_beat_ = sent_at.time_since_epoch().count();
  if (!lost.empty()) tell_.lost(lost);
  return seen;
}

void ownership::take(const std::vector<shard_number>& free) {
  std::vector<shard_number> taken;
  {
    const auto watched = connection_->limit(answer_max);
    taken = try_shards(*connection_, free);
    if (!taken.empty()) tell_of_change(*connection_);
  }
  if (taken.empty()) return;
  set_held(taken, true);
  ops::log::info("shards_taken", {{"shards", taken.size()}});
  tell_.taken(taken);
}

void ownership::give_up(const std::vector<shard_number>& held) {
  ops::log::info("shards_given_up", {{"shards", held.size()}});
  tell_.leaving(held);
  set_held(held, false);
  const auto watched = connection_->limit(answer_max);
  release_shards(*connection_, held);
  tell_of_change(*connection_);
}

void ownership::set_held(const std::vector<shard_number>& shards, bool held) {
  for (const auto shard : shards) held_[shard] = held;
}

std::vector<shard_number> ownership::all_held() const {
  std::vector<shard_number> shards;
  for (unsigned shard = 0; shard < shard_count; ++shard) {
    if (held_[shard]) shards.push_back(static_cast<shard_number>(shard));
  }
  return shards;
}

void ownership::connection_lost() {
  tried_.reset();
  connection_.reset();
  member_ = false;
  const auto lost = all_held();
  if (lost.empty()) return;
  set_held(lost, false);
  ops::log::warn("shards_lost", {{"shards", lost.size()}});
  tell_.lost(lost);
}

/// Off the list first: what is given up then is others' due.
void ownership::give_up_all() {
  try {
    if (connection_ && connection_->usable()) {
      const auto watched = connection_->limit(answer_max);
      if (member_) leave(*connection_, number_);
      if (const auto held = all_held(); !held.empty()) give_up(held);
    }
  } catch (const std::exception& e) {  // the end of the connection releases them as well
    ops::log::warn("lock_connection_lost", {{"why", io::reason_of(e)}});
  }
  connection_lost();
}

}  // namespace throughline::state_sync
