#include "services/state-sync/shell/writer.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/ops/log.hpp"
#include "services/state-sync/shell/store/retention.hpp"
#include "services/state-sync/shell/store/takeover.hpp"

namespace throughline::state_sync {
namespace {

constexpr inbox_bounds inbox_max{16'384, std::size_t{64} << 20};
constexpr inbox_bounds batch_max{512, std::size_t{4} << 20};
constexpr std::size_t idle_trees_max = 20'000;
constexpr std::chrono::milliseconds longest_wait{500};
/// Open trees that are not in memory are looked for this often: what a replaced owner committed at its last moment.
constexpr std::chrono::seconds look_interval{10};

constexpr std::chrono::seconds cleanup_interval{60};
/// Rows of each kind per cleanup: some milliseconds of the writer's time.
constexpr std::size_t cleanup_max = 1000;

pending_input own_input(const session_id& root, input what) {
  pending_input p;
  p.to = root;
  p.what = std::move(what);
  return p;
}

}  // namespace

writer::writer(std::size_t number, writer_surroundings around)
    : number_(number),
      around_(std::move(around)),
      inbox_(inbox_max),
      trees_(idle_trees_max),
      ids_(system_entropy()),
      committer_(trees_, ids_),
      thread_([this] { run(); }) {}

writer::~writer() {
  stop();
}

void writer::stop() {
  inbox_.close();
  if (thread_.joinable()) thread_.join();
}

bool writer::offer(pending_input& input) {
  const auto weight = input.weight;
  item wrapped(std::move(input));
  if (inbox_.put(wrapped, weight)) return true;
  input = std::move(std::get<pending_input>(wrapped));
  return false;
}

void writer::shards_taken(std::vector<shard_number> shards) {
  inbox_.put_always(taken{std::move(shards)});
}

void writer::shards_lost(std::vector<shard_number> shards, std::function<void()> done) {
  inbox_.put_always(lost{std::move(shards), std::move(done)});
}

void writer::was_deaf_until_now() {
  inbox_.put_always(deaf{});
}

void writer::run() {
  while (true) {
    auto batch = gather();
    if (!batch.empty()) settle(std::move(batch));
    try_alone();
    leave_shards();
    clean_up(clock::now());
    around_.counts.inbox_depth(number_, inbox_.size());
    trees_.trim();
    around_.counts.trees_in_memory(number_, trees_.size());
    if (!inbox_.drained()) continue;
    // What is held cannot be finished while the database is away or refuses it; its senders repeat it.
    if (database_down_ || held_.only_failing()) break;
    std::this_thread::sleep_until(held_.earliest().value_or(clock::now()));
  }
  for (const auto& input : held_.take_all()) busy(input, deferral::busy, 1000);
}

bool writer::ready() {
  if (connection_ && connection_->usable()) return true;
  store_.reset();
  connection_.reset();
  auto opened = connect(around_.database, io::connection_role::work);
  if (!opened) {
    ops::log::warn("database_unreachable", {{"writer", number_}, {"reason", opened.error()}});
    around_.attempted(number_, opened.error());
    return false;
  }
  if (opened->epoch != epoch_) {
    if (epoch_ != 0) ops::log::warn("epoch_changed", {{"from", epoch_.load()}, {"to", opened->epoch}});
    drop_memory();
    epoch_ = opened->epoch;
    around_.counts.epoch_is(opened->epoch);
    next_look_ = {};
    fresh_.assign(shards_.begin(), shards_.end());
  }
  connection_ = std::move(opened->link);
  store_ = std::make_unique<store>(*connection_);
  return true;
}

void writer::drop_memory() {
  trees_.clear();
  deadlines_.clear();
}

writer::clock::time_point writer::wake_at() const {
  const auto now = clock::now();
  if (!backlog_.empty()) return now;
  auto at = now + longest_wait;
  if (const auto held = held_.earliest()) at = std::min(at, std::max(*held, now));
  if (const auto due = deadlines_.earliest()) at = std::min(at, std::max(*due, now));
  return at;
}

writer::inputs writer::gather() {
  inputs batch;
  answer_spent();
  if (database_down_ && clock::now() < down_until_ && !inbox_.drained()) {
    std::this_thread::sleep_until(std::min(down_until_, clock::now() + longest_wait));
    if (clock::now() < down_until_) return batch;
  }
  database_down_ = false;
  const auto now = clock::now();
  batch = held_.take_due(now, batch_max);
  const auto until = batch.empty() ? wake_at() : now;
  auto arrived = batch.size() < batch_max.items ? inbox_.take(batch_max, until) : std::vector<item>{};
  for (auto& what : arrived) accept(std::move(what), batch);
  std::erase_if(batch, [&](pending_input& input) { return turn_away(input, clock::now()); });
  look_for_open(clock::now());
  add_due(batch);
  while (batch.size() < batch_max.items && !backlog_.empty()) {
    line_up(std::move(backlog_.front()), batch);
    backlog_.pop_front();
  }
  return batch;
}

void writer::accept(item what, inputs& batch) {
  if (auto* input = std::get_if<pending_input>(&what)) {
    line_up(std::move(*input), batch);
  } else if (const auto* more = std::get_if<taken>(&what)) {
    leave_shards();  // those that were lost before
    shards_.insert(more->shards.begin(), more->shards.end());
    fresh_.insert(fresh_.end(), more->shards.begin(), more->shards.end());
    next_look_ = {};
  } else if (auto* less = std::get_if<lost>(&what)) {
    leaving_.push_back(std::move(*less));
  } else {
    for (const auto& root : trees_.roots()) backlog_.push_back(own_input(root, was_deaf{}));
  }
}

/// Nothing overtakes what is held of its session.
void writer::line_up(pending_input input, inputs& batch) {
  if (!held_.holds(input.to)) return batch.push_back(std::move(input));
  if (held_.append(input)) return;
  busy(input, deferral::busy, static_cast<std::uint32_t>(held_inputs::pause_max.count()));
  // Of our own: whoever loads the tree again tells it all that it must know.
  if (input.request() == nullptr) trees_.drop(input.to);
}

/// What came before is settled, or held for another try; that is the next owner's.
void writer::leave_shards() {
  if (leaving_.empty()) return;
  for (const auto& less : leaving_) {
    for (const auto shard : less.shards) shards_.erase(shard);
  }
  const auto left = [this](const session_id& session) { return !shards_.contains(shard_or_zero(session)); };
  for (const auto& input : held_.take_of(left)) not_owner(input);
  std::erase_if(backlog_, [&](const auto& input) { return left(input.to); });
  std::erase_if(fresh_, [this](shard_number shard) { return !shards_.contains(shard); });
  for (const auto& root : trees_.roots()) {
    if (!left(root)) continue;
    trees_.drop(root);
    deadlines_.set(root, std::nullopt);
  }
  for (const auto& less : std::exchange(leaving_, {})) {
    if (less.done) less.done();
  }
}

/// Takeover, and every `look_interval` again: trees that wait for something must be in memory to get their time.
void writer::look_for_open(clock::time_point now) {
  if (now < next_look_ || shards_.empty()) return;
  const bool first = !fresh_.empty();
  next_look_ = now + (first ? std::chrono::seconds(1) : look_interval);
  if (!ready()) return;
  try {
    const std::vector<shard_number> shards(shards_.begin(), shards_.end());
    for (const auto& root : open_roots(*connection_, shards)) {
      if (trees_.find(root) == nullptr && !held_.waits(root)) backlog_.push_back(own_input(root, taken_over{}));
    }
    if (first) around_.out.announce(recent_heads(*connection_, fresh_));
    fresh_.clear();
  } catch (const std::exception& e) {
    next_look_ = first ? clock::time_point{} : next_look_;
    failed(e, {});
  }
}

/// What has an age limit is looked at by one writer of the process.
void writer::clean_up(clock::time_point now) {
  if (number_ != 0 || now < next_cleanup_ || shards_.empty() || database_down_) return;
  next_cleanup_ = now + cleanup_interval;
  if (!ready()) return;
  try {
    const auto removed = remove_expired(*connection_, cleanup_max);
    if (removed > 0) ops::log::info("expired_removed", {{"rows", removed}});
  } catch (const std::exception& e) {
    ops::log::warn("expired_not_removed", {{"why", io::to_text(io::classify(e))}});
    store_.reset();
    connection_.reset();
  }
}

void writer::add_due(inputs& batch) {
  const auto now = clock::now();
  if (!around_.process.timers_may_run(now) || batch.size() >= batch_max.items) return;
  const bool hears = around_.nats_up();
  for (const auto& root : deadlines_.take_due(now, batch_max.items - batch.size())) {
    if (around_.of(shard_or_zero(root)) != standing::owner || held_.waits(root)) {
      deadlines_.set(root, now + std::chrono::seconds(1));
      continue;
    }
    // The clock of bridge silence stands still while nothing can be heard (6.2).
    if (!hears) line_up(own_input(root, was_deaf{}), batch);
    line_up(own_input(root, time_passed{}), batch);
  }
}

}  // namespace throughline::state_sync
