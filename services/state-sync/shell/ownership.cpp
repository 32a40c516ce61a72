#include "services/state-sync/shell/ownership.hpp"

#include <utility>

#include "common/ops/log.hpp"
#include "services/state-sync/shell/connector.hpp"
#include "services/state-sync/shell/shard_share.hpp"
#include "services/state-sync/shell/store/shard_locks.hpp"

namespace throughline::state_sync {
namespace {

constexpr std::chrono::milliseconds beat_interval{1000};
constexpr std::chrono::milliseconds round_interval{500};
/// Two missed beats.
constexpr std::chrono::milliseconds beat_age_max{2500};
/// PostgreSQL has thrown this backend out by then (idle_session_timeout is 5 s).
constexpr std::chrono::milliseconds answer_max{5000};

}  // namespace

ownership::ownership(const io::database& database, callbacks tell) : database_(database), tell_(std::move(tell)) {}

ownership::~ownership() {
  stop();
}

void ownership::start() {
  thread_ = std::thread([this] { run(); });
}

void ownership::stop() {
  {
    const std::lock_guard hold(guard_);
    stopping_ = true;
    stop_asked_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

bool ownership::serving(shard_number shard) const {
  return held_[shard] && clock::now() - clock::time_point(clock::duration(last_beat_)) < beat_age_max;
}

void ownership::run() {
  std::unique_lock hold(guard_);
  while (!stopping_) {
    hold.unlock();
    round();
    hold.lock();
    stop_asked_.wait_for(hold, round_interval, [this] { return stopping_; });
  }
  hold.unlock();
  give_up();
}

void ownership::round() {
  try {
    if (!connect_now()) return;
    if (clock::now() >= next_beat_) beat();
    take_free();
  } catch (const std::exception& e) {
    const auto why = io::to_text(io::classify(e));
    ops::log::warn("lock_connection_lost", {{"why", why}});
    connection_.reset();
    lose_all();
    tell_.database(false, why);
  }
}

bool ownership::connect_now() {
  if (connection_ && connection_->usable()) return true;
  connection_.reset();
  lose_all();
  auto opened = connect(database_, io::connection_role::lock);
  if (!opened) {
    tell_.database(false, opened.error());
    return false;
  }
  connection_ = std::move(opened->link);
  next_beat_ = {};
  return true;
}

void ownership::beat() {
  std::vector<shard_number> lost;
  {
    const auto watched = connection_->limit(answer_max);
    std::array<bool, shard_count> still{};
    for (const auto shard : held_shards(*connection_)) still[shard] = true;
    for (unsigned shard = 0; shard < shard_count; ++shard) {
      if (held_[shard].exchange(held_[shard] && still[shard]) && !still[shard]) {
        lost.push_back(static_cast<shard_number>(shard));
      }
    }
  }
  last_beat_ = clock::now().time_since_epoch().count();
  next_beat_ = clock::now() + beat_interval;
  if (!lost.empty()) tell_.lost(lost);
  tell_.database(true, "");
}

void ownership::take_free() {
  std::vector<shard_number> held;
  for (unsigned shard = 0; shard < shard_count; ++shard) {
    if (held_[shard]) held.push_back(static_cast<shard_number>(shard));
  }
  // One member so far: all shards are its share.
  const auto change = change_of(held, fair_share({}, "self"));
  if (change.take.empty()) return;
  std::vector<shard_number> taken;
  {
    const auto watched = connection_->limit(answer_max);
    taken = try_shards(*connection_, change.take);
  }
  if (taken.empty()) return;
  for (const auto shard : taken) held_[shard] = true;
  ops::log::info("shards_taken", {{"shards", taken.size()}});
  tell_.taken(taken);
}

void ownership::lose_all() {
  std::vector<shard_number> lost;
  for (unsigned shard = 0; shard < shard_count; ++shard) {
    if (held_[shard].exchange(false)) lost.push_back(static_cast<shard_number>(shard));
  }
  if (lost.empty()) return;
  ops::log::warn("shards_lost", {{"shards", lost.size()}});
  tell_.lost(lost);
}

void ownership::give_up() {
  std::vector<shard_number> held;
  for (unsigned shard = 0; shard < shard_count; ++shard) {
    if (held_[shard].exchange(false)) held.push_back(static_cast<shard_number>(shard));
  }
  if (!held.empty()) tell_.lost(held);
  try {
    if (connection_) {
      const auto watched = connection_->limit(std::chrono::milliseconds(1000));
      release_shards(*connection_, held);
    }
  } catch (const std::exception&) {  // the end of the connection releases them as well
  }
  connection_.reset();
}

}  // namespace throughline::state_sync
