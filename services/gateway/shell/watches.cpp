#include "services/gateway/shell/watches.hpp"

#include <unordered_map>
#include <utility>

#include "common/codec/subjects.hpp"
#include "services/gateway/shell/steady.hpp"

namespace throughline::gateway {

namespace asio = boost::asio;

namespace {

constexpr millis tick_every{50};
constexpr millis check_budget{4'000};

}  // namespace

watches::watches(io::event_loop& loop, io::nats_link& nats, state_sync_link& state_sync, const probe& counts,
                 load_meter& load)
    : loop_(loop), nats_(nats), state_sync_(state_sync), counts_(counts), load_(load), schedule_(system_entropy()) {
  loop_.spawn(tick());
}

std::shared_ptr<watched_session> watches::of(const session_id& session) {
  auto& known = sessions_[session];
  if (known && !known->gone()) return known;
  const auto on_change = [this, alive = std::weak_ptr(alive_)](watched_session& of) {
    if (!alive.expired()) changed(of);
  };
  known = std::make_shared<watched_session>(
      session, watched_session::surroundings{loop_, nats_, state_sync_, counts_, load_, on_change});
  known->subscribe();
  schedule_.add(session, steady_now());
  counts_.session_watched(static_cast<double>(sessions_.size()));
  return known;
}

bool watches::has_state(const session_id& session) const {
  const auto found = sessions_.find(session);
  return found != sessions_.end() && found->second->has_state();
}

void watches::reconnected() {
  schedule_.check_all(steady_now());
}

void watches::dropped(const std::string& subject) {
  if (const auto session = codec::parse_event_subject(subject)) {
    schedule_.check_now(*session, steady_now());
  } else {
    schedule_.check_all(steady_now());
  }
}

// Forgetting is left to the tick: this may be called from inside the session's own handler.
void watches::changed(watched_session& of) {
  if (of.is_idle() || of.next_deadline()) waiting_.insert(of.session());
}

asio::awaitable<void> watches::tick() {
  for (;;) {
    co_await io::sleep_for(tick_every);
    const auto now = steady_now();
    for (const auto& session : std::exchange(waiting_, {})) {
      const auto found = sessions_.find(session);
      if (found == sessions_.end()) continue;
      const auto kept = found->second;
      if (kept->is_idle()) {
        sessions_.erase(found);
        schedule_.remove(session);
        counts_.session_watched(static_cast<double>(sessions_.size()));
      } else if (const auto due = kept->next_deadline(); due && *due <= now) {
        kept->time_passed();
      } else if (due) {
        waiting_.insert(session);
      }
    }
    for (auto& batch : schedule_.due(now)) loop_.spawn(check(std::move(batch)));
  }
}

asio::awaitable<void> watches::check(std::vector<session_id> sessions) {
  std::unordered_map<session_id, position> held;
  for (const auto& session : sessions) {
    if (const auto found = sessions_.find(session); found != sessions_.end()) held[session] = found->second->held();
  }
  const auto asked_at = steady_now();
  counts_.heads_checked(static_cast<double>(sessions.size()));
  const auto heads =
      co_await state_sync_.read_as<std::vector<head_reading>>(read_heads{std::move(sessions)}, check_budget);
  if (!heads) {
    // The schedule asks again by itself.
    counts_.heads_unanswered(static_cast<double>(held.size()));
    co_return;
  }
  for (const auto& one : *heads) {
    const auto found = sessions_.find(one.session);
    const auto before = held.find(one.session);
    if (found == sessions_.end() || before == held.end()) continue;
    const auto kept = found->second;
    kept->head(before->second, one, asked_at);
  }
}

}  // namespace throughline::gateway
