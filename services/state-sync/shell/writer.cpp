#include "services/state-sync/shell/writer.hpp"

#include <algorithm>
#include <iterator>
#include <ranges>
#include <utility>

#include "common/ops/log.hpp"
#include "services/state-sync/shell/store/retention.hpp"
#include "services/state-sync/shell/store/takeover.hpp"

namespace throughline::state_sync {
namespace {

constexpr inbox_bounds inbox_max{16'384, std::size_t{64} << 20};
constexpr inbox_bounds batch_max{512, std::size_t{4} << 20};
/// Places of a batch that are kept for what is due and for trees to be loaded, however much arrives.
constexpr std::size_t own_places = 64;
/// Of these, those of trees to be loaded: loading takes time, in which the others of the batch wait.
constexpr std::size_t loads_max = committer::loads_max;
constexpr std::size_t idle_trees_max = 20'000;
constexpr std::chrono::milliseconds longest_wait{500};
/// Renewals are answered from memory for this long after a transaction: the next one goes into a transaction, which
/// sees a new epoch, or that the database is gone.
constexpr std::chrono::seconds memory_trusted{5};
/// Without a commit for longer than this nothing is decided. The silence of a bridge is 15 s, its renewals 5 s apart.
constexpr std::chrono::seconds undecided_max{7};
/// Open trees that are not in memory, or not as they are, are looked for this often: what a replaced owner committed at
/// its last moment.
constexpr std::chrono::seconds look_interval{5};

/// Of a list with many hosts that answer nothing each takes its time.
constexpr std::chrono::seconds connecting_max{30};
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

void writer::answer_waiting() {
  const auto late = [now = clock::now()](const item& what) {
    const auto* input = std::get_if<pending_input>(&what);
    return input != nullptr && input->nearly_spent(now);
  };
  for (const auto& what : inbox_.take_if(late)) {
    around_.counts.input_expired();
    busy(std::get<pending_input>(what), deferral::busy, 0);
  }
}

void writer::was_deaf_until_now() {
  inbox_.put_always(deaf{});
}

void writer::run() {
  while (true) {
    around_.goes_on(number_, {});
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
  const auto began = clock::now();
  around_.goes_on(number_, connecting_max);
  auto opened = connect(around_.database, io::connection_role::work);
  around_.goes_on(number_, {});
  around_.connecting(number_, opened ? std::string() : opened.error(), began);
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
  store_ = std::make_unique<store>(*connection_, [this](auto longer) { around_.goes_on(number_, longer); });
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
    wait_out();
    if (clock::now() < down_until_) return batch;
  }
  // What cannot be tried is not taken: in the inbox it is answered while this waits.
  if (!try_again()) return batch;
  look_for_open(clock::now());
  if (database_down_) return batch;
  const auto now = clock::now();
  constexpr inbox_bounds most{batch_max.items - own_places, batch_max.bytes};
  batch = held_.take_due(now, most);
  const auto until = batch.empty() ? wake_at() : now;
  if (batch.size() < most.items) {
    for (auto& what : inbox_.take({most.items - batch.size(), most.bytes}, until)) accept(std::move(what), batch);
  }
  // Shards that have just come, before anything of them is decided.
  if (next_look_ == clock::time_point{}) look_for_open(clock::now());
  if (database_down_) {
    held_.put_back(std::move(batch), down_until_);
    return {};
  }
  turn_away(batch);
  std::erase_if(batch, [this](const pending_input& input) { return renewed_as_it_is(input); });
  add_due(batch);
  add_loads(batch);
  return batch;
}

/// After a pause. While nothing can be decided no clock of silence runs: renewals wait among the rest, or were put off.
/// What one session brings about, while others commit, stops no clock.
bool writer::try_again() {
  if (!std::exchange(database_down_, false)) return true;
  if (clock::now() - database_time_read_ > undecided_max) hear_all_afresh();
  if (ready()) return true;
  pause_all({});
  return false;
}

/// While nothing is tried what arrives is kept as if it had been: its senders hear in time that it waits.
void writer::wait_out() {
  std::this_thread::sleep_until(std::min(down_until_, clock::now() + held_inputs::pause_min));
  inputs arrived;
  for (auto& what : inbox_.take(batch_max, clock::now())) accept(std::move(what), arrived);
  turn_away(arrived);
  for (auto& input : arrived) {
    if (!held_.append(input)) busy(input, deferral::busy, static_cast<std::uint32_t>(held_inputs::pause_max.count()));
  }
}

void writer::add_loads(inputs& batch) {
  for (std::size_t n = 0; n < loads_max && batch.size() < batch_max.items && !backlog_.empty(); ++n) {
    line_up(own_input(backlog_.extract(backlog_.begin()).value(), taken_over{}), batch);
  }
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
    hear_all_afresh();
  }
}

/// The least recently used first, so that the order stays.
void writer::hear_all_afresh() {
  for (const auto& root : trees_.roots() | std::views::reverse) hear_afresh(root);
}

/// True when something of the tree may be due all the same.
bool writer::hear_afresh(const session_id& root) {
  auto* known = trees_.find(root);
  if (known == nullptr) return true;
  const auto now = clock::now();
  known->state.was_deaf_until(std::chrono::duration_cast<millis>(now.time_since_epoch()));
  const auto due = deadline_of(root);
  set_deadline(root);
  return due && *due <= now;
}

/// A renewal that changes nothing stored takes no transaction. What it says is that a bridge is alive, which is so
/// whoever owns the session, and only the owner's memory holds it; what it acknowledges is nothing that could be lost.
bool writer::renewed_as_it_is(const pending_input& input) {
  const auto* request = input.request();
  const auto* what = request != nullptr ? std::get_if<renewal>(&request->request) : nullptr;
  if (what == nullptr) return false;
  const auto now = clock::now();
  if (now - database_time_read_ > memory_trusted || input.in_doubt) return false;
  auto* known = trees_.find(input.to);
  if (known == nullptr || !known->told) return false;
  if (!known->state.renewed_as_it_is(*what, std::chrono::duration_cast<millis>(now.time_since_epoch()))) return false;
  set_deadline(input.to);
  around_.counts.renewed_as_it_is();
  around_.replies.answer(request->from, noted{}, epoch_);
  return true;
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
  std::erase_if(backlog_, left);
  std::erase_if(fresh_, [this](shard_number shard) { return !shards_.contains(shard); });
  for (const auto& root : trees_.roots()) {
    if (left(root)) trees_.drop(root);
  }
  deadlines_.drop_if(left);  // also of trees that are not in memory
  for (const auto& less : std::exchange(leaving_, {})) {
    if (less.done) less.done();
  }
}

/// Takeover, and every `look_interval` again: trees that wait for something must be in memory to get their time, and as
/// they are: what an owner that stood still has committed since then is nobody else's input.
void writer::look_for_open(clock::time_point now) {
  if (now < next_look_ || shards_.empty()) return;
  const bool first = !fresh_.empty();
  next_look_ = now + (first ? std::chrono::seconds(1) : look_interval);
  if (!ready()) {
    next_look_ = first ? clock::time_point{} : next_look_;
    return pause_all({});
  }
  try {
    const std::vector<shard_number> shards(shards_.begin(), shards_.end());
    const auto open = open_trees(*connection_, shards);
    for (const auto& [root, marks] : open) {
      const auto* known = trees_.look_at(root);
      if (known == nullptr || known->marks != marks) look_into(root);
    }
    for (const auto& root : trees_.roots()) {
      if (trees_.look_at(root)->state.next_deadline().steady && !open.contains(root)) look_into(root);
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

void writer::look_into(const session_id& root) {
  if (!held_.waits(root)) backlog_.insert(root);
}

void writer::add_due(inputs& batch) {
  const auto now = clock::now();
  const auto most = batch_max.items - loads_max;
  if (!around_.process.timers_may_run(now) || batch.size() >= most) return;
  const bool hears = around_.nats_up();
  for (const auto& root : deadlines_.take_due(now, most - batch.size())) {
    if (around_.of(shard_or_zero(root)) != standing::owner || held_.waits(root)) {
      deadlines_.set(root, now + std::chrono::seconds(1));
      continue;
    }
    // The clock of bridge silence stands still while nothing can be heard (6.2).
    if (!hears && !hear_afresh(root)) continue;
    line_up(own_input(root, time_passed{}), batch);
  }
}

}  // namespace throughline::state_sync
