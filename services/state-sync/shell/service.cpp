#include "services/state-sync/shell/service.hpp"

#include <array>
#include <cstdlib>
#include <future>
#include <utility>

#include <unistd.h>

#include "common/ops/health.hpp"
#include "common/ops/log.hpp"
#include "common/ops/metrics.hpp"
#include "common/ops/ops_server.hpp"
#include "services/state-sync/shell/commit_health.hpp"
#include "services/state-sync/shell/epoch_watch.hpp"
#include "services/state-sync/shell/front.hpp"
#include "services/state-sync/shell/key_desk.hpp"
#include "services/state-sync/shell/order_desk.hpp"
#include "services/state-sync/shell/ownership.hpp"
#include "services/state-sync/shell/publisher.hpp"
#include "services/state-sync/shell/reader_pool.hpp"
#include "services/state-sync/shell/reply_desk.hpp"
#include "services/state-sync/shell/schema_gate.hpp"
#include "services/state-sync/shell/writer.hpp"

namespace throughline::state_sync {
namespace {

constexpr std::chrono::milliseconds database_pause{500};
/// Exit status of a process one of whose writers stands still.
constexpr int stuck = 5;
/// What waits for a shard that is given up is finished in milliseconds, or cannot be finished here.
constexpr std::chrono::milliseconds leave_max{1000};

/// Nothing can end its thread, and as long as that runs this process is no member. The next life, started by whoever
/// runs it, finds in the mark what was being tried (3.6).
[[noreturn]] void end_stuck() {
  ops::log::error("writer_stands_still", {{"then", "this process ends itself"}, {"status", stuck}});
  ::alarm(2);  // ends it all the same when nobody reads the log
  ops::log::stop();
  std::_Exit(stuck);
}

}  // namespace

/// In the order in which they are built; each uses only what stands above it, but for the callbacks, which run after
/// `serve` and end in `drain`.
struct service::parts {
  explicit parts(const service_settings& s)
      : database(s.database),
        ops_port(ready, metrics),
        link(s.nats),
        epochs(database, link),
        replies(link),
        process(clock::now()) {}

  using clock = std::chrono::steady_clock;

  ops::metrics_registry metrics;
  ops::readiness ready{"nats", "database", "schema", "serving"};
  probe counts{metrics};
  io::database database;
  ops::ops_server ops_port;
  io::nats_link link;
  epoch_watch epochs;
  commit_health commits;
  reply_desk replies;
  pulse process;
  std::unique_ptr<order_desk> orders;
  std::unique_ptr<publisher> out;
  std::unique_ptr<ownership> owned;
  std::vector<std::unique_ptr<writer>> writers;
  std::unique_ptr<reader_pool> readers;
  std::unique_ptr<key_desk> keys;
  std::unique_ptr<front> door;

  void build(const service_settings& s);
  void take(const std::vector<shard_number>& shards);
  void leave(const std::vector<shard_number>& shards, std::chrono::milliseconds wait);
  std::vector<std::vector<shard_number>> by_writer(const std::vector<shard_number>& shards) const;
  void count_shards(const std::vector<shard_number>& changed, bool taken);
  void database_is(bool up, const std::string& why);
  bool outcome_known(command_outcome what);
  void deaf_until_now();

  std::array<bool, shard_count> held{};
};

void service::parts::build(const service_settings& s) {
  const auto standing_of = [this](shard_number shard) { return owned->of(shard); };
  const auto report = [this](command_outcome o) { return outcome_known(std::move(o)); };
  orders = std::make_unique<order_desk>(link, counts, report, standing_of);
  out = std::make_unique<publisher>(link, *orders, replies, counts);
  owned = std::make_unique<ownership>(
      database, commits,
      ownership::callbacks{[this](const auto& taken) { take(taken); },
                           [this](const auto& given_up) {
                             counts.shards_given_up(given_up.size());
                             leave(given_up, leave_max);
                           },
                           [this](const auto& lost) {
                             counts.shards_lost(lost.size());
                             leave(lost, {});
                           },
                           [this](bool up, const std::string& why) { database_is(up, why); }});
  const auto attempted = [this](std::size_t number, const std::string& why_not) {
    why_not.empty() ? commits.worked(number) : commits.failed(number, why_not, clock::now());
  };
  const auto connecting = [this](std::size_t number, const std::string& why_not, clock::time_point began) {
    commits.connecting(number, why_not, began, clock::now());
  };
  const auto goes_on = [this](std::size_t number, auto longer) { commits.goes_on(number, clock::now(), longer); };
  std::vector<writer*> by_number;
  for (std::size_t i = 0; i < probe::writers_max; ++i) {
    writers.push_back(std::make_unique<writer>(
        i, writer_surroundings{database, *out, replies, counts, process, standing_of,
                               [this] { return link.connected(); }, s.bounds, attempted, connecting, goes_on}));
    by_number.push_back(writers.back().get());
  }
  readers = std::make_unique<reader_pool>(database, link, counts, s.snapshot_budget);
  keys = std::make_unique<key_desk>(database, link);
  door = std::make_unique<front>(front::rooms{link, by_number, *readers, *keys, replies, counts, process, standing_of,
                                              [this] { return owned->certain(); }});
}

void service::parts::database_is(bool up, const std::string& why) {
  const auto reason = up ? commits.why_not(clock::now()) : why;
  reason.empty() ? ready.met("database") : ready.unmet("database", reason);
}

void service::parts::count_shards(const std::vector<shard_number>& changed, bool taken) {
  for (const auto shard : changed) held[shard] = taken;
  std::size_t n = 0;
  for (const bool h : held) n += h ? 1 : 0;
  counts.shards_held(n);
}

std::vector<std::vector<shard_number>> service::parts::by_writer(const std::vector<shard_number>& shards) const {
  std::vector<std::vector<shard_number>> of(writers.size());
  for (const auto shard : shards) of[shard % writers.size()].push_back(shard);
  return of;
}

void service::parts::take(const std::vector<shard_number>& shards) {
  counts.shards_taken(shards.size());
  count_shards(shards, true);
  auto of = by_writer(shards);
  for (std::size_t i = 0; i < writers.size(); ++i) {
    if (!of[i].empty()) writers[i]->shards_taken(std::move(of[i]));
  }
  door->take(shards);
}

/// First nothing more comes; then what came is decided and answered, or put off after `wait`. Only then may somebody
/// else be asked: no request lies between the two of them, and none has been refused by either.
void service::parts::leave(const std::vector<shard_number>& shards, std::chrono::milliseconds wait) {
  count_shards(shards, false);
  door->release(shards);
  const auto until = clock::now() + wait;
  auto of = by_writer(shards);
  std::vector<std::future<void>> finished;
  for (std::size_t i = 0; i < writers.size(); ++i) {
    if (of[i].empty()) continue;
    const auto promise = std::make_shared<std::promise<void>>();
    finished.push_back(promise->get_future());
    writers[i]->shards_lost(std::move(of[i]), [promise] { promise->set_value(); });
  }
  for (const auto& each : finished) each.wait_until(until);
  for (const auto shard : shards) orders->forget(shard);
}

bool service::parts::outcome_known(command_outcome what) {
  // The next owner asks the bridge again, which answers as it did the first time.
  if (owned->of(shard_or_zero(what.session)) == standing::stranger) return true;
  pending_input input;
  input.to = what.session;
  input.received = clock::now();
  auto& owner = door->writer_of(shard_or_zero(input.to));
  input.what = asked{std::move(what), 0, std::nullopt};
  if (owner.offer(input)) return true;
  counts.input_put_off();
  return false;
}

void service::parts::deaf_until_now() {
  for (const auto& w : writers) w->was_deaf_until_now();
}

service::service(service_settings settings, ops::shutdown_signal& stop)
    : settings_(std::move(settings)), stop_(stop), parts_(std::make_unique<parts>(settings_)) {}

service::~service() = default;

int service::run() {
  const auto port = parts_->ops_port.start(settings_.ops_listen);
  if (!port) {
    ops::log::error("ops_port_failed", {{"why", port.error().message}});
    return 1;
  }
  ops::log::info("started", {{"ops_port", *port}});
  const auto status = wait_for_database();
  if (status != 0 || stop_.requested()) return status;
  serve();
  drain();
  return 0;
}

/// An unreachable database is no start-up error: the process waits for it. An older schema or an unsafe server is one.
int service::wait_for_database() {
  std::string last;
  while (!stop_.requested()) {
    const auto fault = check_database(parts_->database, settings_.migrate_first);
    if (!fault) break;
    parts_->ready.unmet(fault->condition, fault->reason);
    if (fault->reason != last) ops::log::warn("not_serving", {{"why", fault->reason}});
    if (fault->fatal) return *fault->fatal;
    last = fault->reason;
    stop_.wait_for(database_pause);
  }
  parts_->ready.met("schema");
  return 0;
}

void service::serve() {
  auto& p = *parts_;
  p.build(settings_);
  p.link.on_connected([&p] {
    p.ready.met("nats");
    p.owned->hears(true);
    p.deaf_until_now();
    p.orders->was_deaf_until_now();
    ops::log::info("nats_connected");
  });
  p.link.on_disconnected([&p] {
    p.ready.unmet("nats", "disconnected");
    p.owned->hears(false);
    ops::log::warn("nats_disconnected");
  });
  p.link.on_refused([&p](const std::string& why) {
    p.ready.unmet("nats", why);
    ops::log::warn("nats_unreachable", {{"why", why}});
  });
  p.link.on_dropped([&p](const std::string& subject) {
    // Renewals may be among them: silence is not counted (6.2). Requests are repeated by their senders.
    ops::log::warn("messages_dropped", {{"subject", subject}});
    p.deaf_until_now();
  });
  p.ready.unmet("nats", "not connected yet");
  p.owned->hears(false);
  p.epochs.start();
  p.link.start();
  p.ready.met("serving");
  p.door->open();
  p.owned->start();
  while (!stop_.wait_for(pulse::tick_interval)) {
    p.replies.answer_overdue(parts::clock::now());
    for (const auto& w : p.writers) w->answer_waiting();
    // One instant for both: a process that stands still behind this line has not been seen to hang.
    const auto now = parts::clock::now();
    if (p.process.tick(now)) {
      ops::log::warn("process_was_paused");
      p.commits.was_paused(now);
      p.deaf_until_now();
    } else if (p.commits.hopeless(now, p.owned->holds_any())) {
      end_stuck();
    }
  }
}

/// Gives the shards up first, so that others can take them; then finishes what else was taken.
void service::drain() {
  auto& p = *parts_;
  ops::log::info("draining");
  p.ready.unmet("serving", "draining");
  p.owned->stop();
  p.door->close();
  for (const auto& w : p.writers) w->stop();
  p.readers->stop();
  p.keys->stop();
  p.epochs.stop();
  p.link.stop();
  ops::log::info("stopped");
}

}  // namespace throughline::state_sync
