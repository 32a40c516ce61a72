// One transaction of a replica: lock, look, decide, write, commit, and only then tell.

#include <algorithm>

#include "tests/simulation/replica.hpp"
#include "tests/simulation/stock_agent.hpp"
#include "tests/simulation/violation.hpp"

namespace throughline::simulation {

using namespace state_sync;

namespace {

constexpr micros retry_pause{50'000};
constexpr micros away_pause{500'000};
/// A COMMIT without an answer (3.4).
constexpr micros watchdog{5'000'000};
constexpr std::size_t batch_max = 4;

}  // namespace

void replica::begin() {
  renew_from_memory();
  if (stands_still() || !reaches_database()) {
    return w_.loop.after(away_pause, alive_, [this] { begin(); });
  }
  connect();
  refuse_from_memory();
  if (inbox_.empty() || !serves()) {
    busy_ = false;
    return pump();
  }
  if (!w_.db.lock(this, w_.loop.now())) {
    return w_.loop.after(retry_pause, alive_, [this] { begin(); });
  }
  auto t = std::make_shared<transaction>();
  t->began = w_.loop.now();
  for (std::size_t n = 1 + w_.by.below(batch_max); n > 0 && !inbox_.empty(); --n) {
    t->inputs.push_back(std::move(inbox_.front()));
    inbox_.pop_front();
  }
  load(*t);
  try {
    decide_all(*t);
  } catch (const killed&) {
    w_.trace("an input kills replica " + std::to_string(number_));
    return die();
  }
  const bool slow = w_.happens(60);
  const auto lasts =
      slow ? w_.by.between(micros(100'000), micros(2'000'000)) : w_.by.between(micros(300), micros(4'000));
  if (w_.planted(plant::publish_before_commit)) {
    for (const auto& e : t->events) publish(e);
  }
  w_.loop.after(lasts, alive_, [this, t] { finish(t); });
}

/// The fence (3.3): what another has written since this memory was made is read anew.
void replica::load(transaction& t) {
  t.written = w_.db.rows();
  const auto now = w_.db.marks();
  if (tree_ && (marks_ == now || (w_.planted(plant::primary_key_fence) && memory_))) {
    if (marks_ != now) t.written = *memory_;
    return;
  }
  tree_.emplace(w_.db.rows().load(w_.db.root()));
  marks_ = now;
  if (!std::holds_alternative<taken_over>(t.inputs.front().what)) {
    t.inputs.insert(t.inputs.begin(), pending{taken_over{}, {}, {}});
  }
}

/// Frames that may have killed their owners are decided with nothing else in the transaction (3.6).
void replica::decide_all(transaction& t) {
  for (std::size_t i = 0; i < t.inputs.size(); ++i) {
    const bool suspect = tree_->is_suspect(t.inputs[i].what);
    if (!suspect || i == 0) decide(t, t.inputs[i]);
    if (!suspect) continue;
    const auto rest = t.inputs.begin() + static_cast<std::ptrdiff_t>(i == 0 ? 1 : i);
    inbox_.insert(inbox_.begin(), std::make_move_iterator(rest), std::make_move_iterator(t.inputs.end()));
    t.inputs.erase(rest, t.inputs.end());
    return;
  }
}

void replica::decide(transaction& t, pending& input) {
  auto given = input;
  plant_into(given);
  adopt_cursor(t, given.what);
  auto& what = given.what;
  if (auto* ask = std::get_if<asked>(&what)) {
    ask->prior = t.written.prior_of(ask->request);
    ask->from = ++last_token_;
    if (input.answer) waiting_[ask->from] = input;
  }
  for (const auto& [session, id] : tree_->facts_needed(what)) tree_->add_finished(t.written.finished(session, id));
  auto d = tree_->apply(what, at());
  const bool waits = std::ranges::any_of(inbox_, [](const pending& p) {
    const auto* ask = std::get_if<asked>(&p.what);
    return ask && (std::holds_alternative<renewal>(ask->request) || std::holds_alternative<hand_over>(ask->request));
  });
  w_.check.decided(what, d.writes, waits);
  const auto before = t.events.size();
  for (const auto& e : d.writes.events) t.events.push_back(rendered(t, e));
  for (auto i = before; i < t.events.size(); ++i) {
    if (t.events[i].body->find(stock_agent::deadly) != std::string::npos) throw killed{};
  }
  const bool traceless = leaves_no_trace(d.writes);
  if (!d.writes.empty() && !traceless) t.written.commit(d.writes);
  if (d.is_unfinished()) t.again = input;
  t.writes.push_back(traceless ? changes{} : d.writes);
  t.after.push_back(std::move(d).after(receipt_for_tests::make()));
}

void replica::finish(std::shared_ptr<transaction> t) {
  if (stands_still() || !reaches_database()) return finish_unheard(t);
  if (t->done) {
    marks_.clear();
    busy_ = false;
    carry_out(*t);
    return pump();
  }
  // The server threw out a transaction that stood still, or is another one now.
  if (!w_.db.is_locked_by(this) || w_.db.server() != server_) return failed(*t, micros(0));
  if (w_.happens(w_.bad.owner_crash)) {
    w_.trace("a crash before the commit");
    return die();
  }
  if (w_.happens(w_.bad.commit_fails)) {
    blame_input(*t);
    return failed(*t, retry_pause);
  }
  if (!write_over(*t)) return failed(*t, micros(0));
  const bool in_doubt = w_.happens(w_.bad.commit_in_doubt);
  const bool done = !in_doubt || w_.by.one_in(2);
  if (done) committed(*t);
  if (in_doubt) {
    w_.trace(done ? "commit in doubt (done)" : "commit in doubt (not done)");
    return failed(*t, retry_pause);
  }
  w_.db.unlock(this);
  marks_ = w_.db.marks();
  busy_ = false;
  carry_out(*t);
  if (alive_) pump();
}

/// The COMMIT may have been sent. A process that stands still hears of it when it goes on; one that is cut off never.
void replica::finish_unheard(const std::shared_ptr<transaction>& t) {
  const bool sent = !t->done && w_.db.is_locked_by(this) && w_.db.server() == server_ && w_.by.one_in(2);
  if (sent && write_over(*t)) {
    committed(*t);
    w_.db.unlock(this);
    t->done = true;
  }
  if (!stands_still()) return w_.loop.after(watchdog, alive_, [this, t] { failed(*t, micros(0)); });
  w_.loop.after(paused_until_ - w_.loop.now() + micros(100), alive_, [this, t] { finish(t); });
}

void replica::committed(transaction& t) {
  confirmed_at_ = t.began;
  for (const auto& e : t.events) w_.trace("commit " + to_text(e.at) + " " + *e.body);
  if (w_.how.planted != plant::none) memory_ = t.written;
  w_.db.commit(std::move(t.written), t.events);
  if (!t.events.empty()) w_.something_committed();
  for (const auto& then : t.after) {
    for (const auto& r : then.replies) {
      const auto* handed = std::get_if<hand_over_result>(&r.what);
      if (!handed || handed->status != hand_over_status::refused) continue;
      // Owners died of a frame, or seemed to (3.6); what it said is gone.
      w_.trace("a frame is refused");
      w_.check.lost_of_thread("");
    }
  }
  // Writes stand beside their inputs; a cancel's effects are counted by the person's intent.
  for (std::size_t i = 0; i < t.writes.size(); ++i) {
    std::optional<std::string> cancel;
    if (const auto* ask = std::get_if<asked>(&t.inputs[i].what)) {
      if (const auto* c = std::get_if<cancel_turn>(&ask->request)) cancel = c->by.id.substr(0, c->by.id.find('~'));
    }
    w_.check.committed(cancel, t.writes[i]);
  }
}

/// Nothing is known of what was in memory: the inputs are decided again.
void replica::failed(transaction& t, micros pause) {
  w_.db.unlock(this);
  tree_.reset();
  memory_.reset();
  waiting_.clear();
  std::erase_if(t.inputs, [](const pending& p) { return std::holds_alternative<taken_over>(p.what) && !p.answer; });
  inbox_.insert(inbox_.begin(), std::make_move_iterator(t.inputs.begin()), std::make_move_iterator(t.inputs.end()));
  if (inbox_.empty()) inbox_.push_back({taken_over{}, {}, {}});
  w_.loop.after(pause, alive_, [this] {
    busy_ = false;
    pump();
  });
}

void replica::publish(const stored_event& e) {
  if (is_connected()) w_.publish(e);
}

void replica::carry_out(transaction& t) {
  std::vector<std::function<void()>> steps;
  if (!w_.planted(plant::publish_before_commit)) {
    for (const auto& e : t.events) steps.push_back([this, e] { publish(e); });
  }
  for (const auto& w : t.writes) {
    note_attachments(w);
    resend_in_doubt(w, steps);
  }
  for (auto& then : t.after) {
    for (auto& o : then.orders) steps.push_back([this, o] { give(o); });
    if (then.notices.empty()) continue;
    steps.push_back([this] {
      if (is_connected()) w_.publish_access();
    });
  }
  for (auto& then : t.after) {
    for (auto& r : then.replies) {
      if (auto who = waiting_.extract(r.to)) {
        steps.push_back([this, input = std::move(who.mapped()), r] { answer_to(input, r.what); });
      }
    }
  }
  if (t.again) inbox_.push_front(*std::exchange(t.again, std::nullopt));
  const bool crash = w_.happens(w_.bad.owner_crash);
  const auto last = crash ? w_.by.below(steps.size() + 1) : steps.size();
  for (std::size_t i = 0; i < last; ++i) steps[i]();
  if (!crash) return;
  w_.trace("a crash after the commit, " + std::to_string(last) + " of " + std::to_string(steps.size()) + " done");
  die();
}

}  // namespace throughline::simulation
