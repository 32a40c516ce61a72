#include "tests/simulation/replica.hpp"

#include <algorithm>

#include "services/state-sync/shell/renewal_answer.hpp"
#include "tests/simulation/violation.hpp"

namespace throughline::simulation {

using namespace state_sync;

namespace {

constexpr micros round_every{500'000};
constexpr micros beat_age_max{2'500'000};
constexpr micros catch_up{500'000};
/// A process that stood still this long knows it.
constexpr micros gap_max{2'000'000};
constexpr micros linger_max{8'000'000};
constexpr micros memory_trusted{5'000'000};

}  // namespace

replica::replica(world& around, std::size_t number) : w_(around), number_(number), name_(around.fresh("own_")) {}

void replica::start() {
  w_.trace("replica " + std::to_string(number_) + " starts");
  round();
}

bool replica::stands_still() const {
  return w_.loop.now() < paused_until_;
}

bool replica::reaches_database() const {
  return !stands_still() && w_.loop.now() >= database_cut_until_;
}

bool replica::is_connected() const {
  return alive_ && w_.loop.now() >= nats_cut_until_;
}

bool replica::subscribes() const {
  return is_connected() && (holds_ || w_.loop.now() < lingers_until_);
}

bool replica::serves() const {
  if (!alive_) return false;
  return w_.loop.now() < lingers_until_ || (holds_ && w_.loop.now() - last_beat_ < beat_age_max);
}

/// Beats, and takes the shard when it is free.
void replica::round() {
  w_.loop.after(round_every, alive_, [this] { round(); });
  if (!reaches_database()) return;
  connect();
  if (!link_ || !w_.db.beat(*link_, w_.loop.now())) {
    if (holds_) lose_shard();
    link_ = w_.db.open_link(w_.loop.now());
  }
  last_beat_ = w_.loop.now();
  if (!holds_ && w_.db.take_shard(*link_, w_.loop.now())) take_shard();
  if (!serves() && !inbox_.empty() && !busy_) stop_serving();
}

void replica::take_shard() {
  w_.trace("replica " + std::to_string(number_) + " takes the shard");
  holds_ = true;
  own_input(taken_over{});
  for (const auto& [id, row] : w_.db.rows().sessions()) {
    if (const auto e = w_.db.newest_event(id)) publish(*e);
  }
}

/// Correctness does not rest on whether it knows (3.3): it may go on for a while.
void replica::lose_shard() {
  w_.trace("replica " + std::to_string(number_) + " loses the shard");
  holds_ = false;
  if (w_.happens(2)) lingers_until_ = w_.loop.now() + w_.by.between(micros(0), linger_max);
  const auto in = std::max(micros(0), lingers_until_ - w_.loop.now());
  w_.loop.after(in, alive_, [this] {
    if (!serves() && !busy_) stop_serving();
  });
}

void replica::stop_serving() {
  for (const auto& input : inbox_) answer_to(input, deferred{deferral::not_owner, 0});
  inbox_.clear();
  tree_.reset();
  memory_.reset();
  lanes_.clear();
}

void replica::hand_on() {
  if (!holds_ || !reaches_database()) return;
  w_.db.release_shard(*link_);
  lose_shard();
}

/// Whoever connects finds out first which timeline the server is on (3.4).
void replica::connect() {
  if (server_ != w_.db.server()) {
    server_ = w_.db.server();
    w_.db.establish_epoch(epoch_, w_.planted(plant::timeline_of_checkpoint), w_.loop.now());
  }
  if (w_.db.epoch() == epoch_) return;
  epoch_ = w_.db.epoch();
  tree_.reset();
  memory_.reset();
}

void replica::pause(micros how_long) {
  w_.trace("replica " + std::to_string(number_) + " stands still for " + std::to_string(how_long.count() / 1000) +
           " ms");
  const auto from = w_.loop.now();
  paused_until_ = from + how_long;
  w_.loop.after(how_long, alive_, [this, from] {
    w_.trace("replica " + std::to_string(number_) + " goes on");
    // What waited longer than its sender does is dropped.
    if (w_.loop.now() - from > gap_max) {
      std::erase_if(inbox_, [this](const pending& p) { return p.answer && p.good_until < w_.loop.now(); });
    }
    if (w_.happens(2)) lingers_until_ = w_.loop.now() + w_.by.between(micros(0), linger_max);
    go_on();
  });
}

void replica::cut_from_nats(micros how_long) {
  w_.trace("replica " + std::to_string(number_) + " is cut off from NATS");
  nats_cut_until_ = w_.loop.now() + how_long;
  w_.loop.after(how_long, alive_, [this] { go_on(); });
}

void replica::cut_from_database(micros how_long) {
  w_.trace("replica " + std::to_string(number_) + " is cut off from the database");
  database_cut_until_ = w_.loop.now() + how_long;
  w_.loop.after(how_long, alive_, [this] { pump(); });
}

void replica::go_on() {
  if (!serves()) return;
  timers_from_ = w_.loop.now() + catch_up;
  if (w_.planted(plant::timers_before_input)) return own_input(time_passed{}, true);
  w_.loop.after(catch_up, alive_, [this] { arm(); });
  if (tree_) tree_->was_deaf_until(at().steady);
}

void replica::die() {
  w_.trace("replica " + std::to_string(number_) + " dies");
  w_.db.unlock(this);
  if (link_) w_.db.close_link(*link_);
  alive_.reset();
  w_.replica_died(number_);
}

void replica::answer_to(const pending& input, reply what) {
  if (input.answer && is_connected()) input.answer({epoch_, std::move(what)});
}

void replica::offer(const world::owner_question& what, millis budget,
                    std::function<void(const world::owner_answer&)> answer) {
  if (!is_connected()) return;
  if (const auto* all = std::get_if<renew>(&what)) return offer_each(*all, budget, std::move(answer));
  offer_one(std::get<session_request>(what), budget, std::move(answer));
}

/// One input for each attachment, one answer for all: when all are decided, or in time for who waits.
void replica::offer_each(const renew& all, millis budget, std::function<void(const world::owner_answer&)> answer) {
  struct gathering {
    renewal_answer parts;
    std::function<void(const world::owner_answer&)> answer;
    void say() {
      if (const auto to = std::exchange(answer, nullptr)) to({parts.epoch(), parts.so_far()});
    }
  };
  std::vector<attachment_id> of;
  for (const auto& one : all.attachments) of.push_back(one.attachment);
  const auto sum = std::make_shared<gathering>(gathering{renewal_answer(of), std::move(answer)});
  for (std::size_t i = 0; i < of.size(); ++i) {
    offer_one(all.attachments[i], budget, [sum, i](const world::owner_answer& a) {
      sum->parts.add(i, a.what, a.epoch);
      if (sum->parts.complete()) sum->say();
    });
  }
  w_.loop.after(budget * 3 / 4, alive_, [this, sum] {
    if (is_connected() && !stands_still()) sum->say();
  });
}

/// As the writer does (services/state-sync/shell/writer.cpp): a renewal that changes nothing takes no transaction.
void replica::renew_from_memory() {
  if (stands_still() || !serves() || !tree_ || w_.loop.now() - confirmed_at_ > memory_trusted) return;
  std::erase_if(inbox_, [this](const pending& input) {
    const auto* ask = std::get_if<asked>(&input.what);
    const auto* what = ask ? std::get_if<renewal>(&ask->request) : nullptr;
    if (!what || !tree_->renewed_as_it_is(*what, at().steady)) return false;
    answer_to(input, noted{});
    return true;
  });
}

void replica::offer_one(const session_request& request, millis budget,
                        std::function<void(const world::owner_answer&)> answer) {
  pending p{asked{request, 0, std::nullopt}, std::move(answer), w_.loop.now() + budget};
  if (!stands_still() && !serves()) return answer_to(p, deferred{deferral::not_owner, 0});
  inbox_.push_back(std::move(p));
  pump();
}

/// A connection of its own reads; what comes while the process stands still is read when it goes on.
void replica::read(const read_request& what, std::function<void(const world::reader_answer&)> answer) {
  const auto pause = std::max(micros(0), paused_until_ - w_.loop.now());
  w_.loop.after(pause + w_.by.between(micros(50), micros(1'500)), alive_, [this, what, answer] {
    if (stands_still()) return read(what, answer);
    if (!reaches_database() || !is_connected()) return;
    connect();
    const auto* snapshot = std::get_if<read_snapshot>(&what);
    if (!snapshot || !w_.planted(plant::snapshot_in_two_statements)) return answer({epoch_, w_.db.answer(what)});
    // The planted fault: the head is of one moment, the interactions are of a later one.
    w_.loop.after(w_.by.between(micros(200), micros(3'000)), alive_,
                  [this, session = snapshot->session, head = w_.db.head(snapshot->session).head, answer] {
                    answer({epoch_, w_.db.snapshot(session, head)});
                  });
  });
}

void replica::own_input(input what, bool first) {
  pending p{std::move(what), {}, {}};
  if (first) {
    inbox_.push_front(std::move(p));
  } else {
    inbox_.push_back(std::move(p));
  }
  pump();
}

void replica::pump() {
  if (!alive_ || busy_ || stands_still()) return;
  if (!serves()) return;
  if (inbox_.empty()) return arm();
  busy_ = true;
  w_.loop.after(w_.by.between(micros(50), micros(500)), alive_, [this] { begin(); });
}

void replica::arm() {
  if (!tree_ || !serves()) return;
  const auto due = tree_->next_deadline();
  std::optional<micros> in;
  if (due.at) in = *due.at - w_.database_now();
  if (due.steady) {
    const auto steady = *due.steady - at().steady;
    in = in ? std::min<micros>(*in, steady) : micros(steady);
  }
  if (!in) return;
  const auto wake = ++wake_;
  w_.loop.after(std::max(*in, micros(10'000)), alive_, [this, wake] {
    if (wake == wake_) time_has_come();
  });
}

void replica::time_has_come() {
  if (busy_ || !inbox_.empty() || stands_still() || !serves()) return;
  // A process that hears nobody knows of no silence.
  if (w_.loop.now() < timers_from_ || !is_connected()) return arm();
  own_input(time_passed{});
}

context replica::at() const {
  const auto steady = std::chrono::duration_cast<millis>(w_.loop.now()) + millis(1'000'000);
  return {w_.database_now(), steady, epoch_, &w_.by.ids(), w_.bounds, name_};
}

}  // namespace throughline::simulation
