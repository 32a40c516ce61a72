#include "tests/simulation/owner.hpp"

#include <algorithm>

#include "tests/simulation/violation.hpp"

namespace throughline::simulation {

using namespace state_sync;

namespace {

constexpr micros retry_pause{50'000};
constexpr micros catch_up{500'000};
constexpr std::size_t batch_max = 4;

}  // namespace

owner::owner(world& around) : w_(around) {}

void owner::start() {
  own_input(taken_over{});
  for (const auto& [id, row] : w_.db.rows().sessions()) {
    if (const auto e = w_.db.newest_event(id)) w_.publish(*e);
  }
}

void owner::offer(const session_request& request, std::function<void(const world::owner_answer&)> answer) {
  inbox_.push_back({asked{request, 0, std::nullopt}, std::move(answer)});
  pump();
}

void owner::own_input(input what, bool first) {
  pending p{std::move(what), {}};
  if (first) {
    inbox_.push_front(std::move(p));
  } else {
    inbox_.push_back(std::move(p));
  }
  pump();
}

void owner::pause(micros how_long) {
  paused_until_ = w_.loop.now() + how_long;
  w_.trace("owner paused for " + std::to_string(how_long.count() / 1000) + " ms");
  w_.loop.after(how_long, alive_, [this] {
    w_.trace("owner goes on");
    timers_from_ = w_.loop.now() + catch_up;
    if (w_.planted(plant::timers_before_input)) return own_input(time_passed{}, true);
    w_.loop.after(catch_up, alive_, [this] { arm(); });
    own_input(was_deaf{}, true);
  });
}

void owner::die() {
  w_.trace("owner dies");
  w_.db.unlock(this);
  alive_.reset();
}

void owner::pump() {
  if (!alive_ || busy_ || w_.loop.now() < paused_until_) return;
  if (inbox_.empty()) {
    if (retiring_) return die();
    return arm();
  }
  busy_ = true;
  w_.loop.after(w_.by.between(micros(50), micros(500)), alive_, [this] { begin(); });
}

void owner::begin() {
  if (!w_.db.lock(this)) {
    w_.loop.after(retry_pause, alive_, [this] { begin(); });
    return;
  }
  if (w_.db.epoch() != epoch_) tree_.reset();
  epoch_ = w_.db.epoch();
  auto t = std::make_shared<transaction>();
  t->written = w_.db.rows();
  for (std::size_t n = 1 + w_.by.below(batch_max); n > 0 && !inbox_.empty(); --n) {
    t->inputs.push_back(std::move(inbox_.front()));
    inbox_.pop_front();
  }
  // The fence: another has written since this memory was made.
  const auto now = w_.db.marks();
  if (!tree_ || marks_ != now) {
    tree_.emplace(w_.db.rows().load(w_.db.root()));
    marks_ = now;
    if (!std::holds_alternative<taken_over>(t->inputs.front().what)) {
      t->inputs.insert(t->inputs.begin(), pending{taken_over{}, {}});
    }
  }
  for (auto& input : t->inputs) decide(*t, input);
  const bool slow = w_.happens(60);
  const auto lasts =
      slow ? w_.by.between(micros(100'000), micros(2'000'000)) : w_.by.between(micros(300), micros(4'000));
  if (w_.planted(plant::publish_before_commit)) {
    for (const auto& e : t->events) w_.publish(e);
  }
  w_.loop.after(lasts, alive_, [this, t] { finish(t); });
}

/// What a shell without the guard would have made of the input.
void owner::plant_into(pending& input) {
  auto* ask = std::get_if<asked>(&input.what);
  auto* post = ask ? std::get_if<post_prompt>(&ask->request) : nullptr;
  if (post && w_.planted(plant::no_dedupe)) post->by.id += "~" + std::to_string(++retries_);
  auto* frames = ask ? std::get_if<hand_over>(&ask->request) : nullptr;
  if (!frames || !w_.planted(plant::completion_by_position)) return;
  for (auto& f : frames->frames) {
    auto* c = f.event ? std::get_if<agent::message_completed>(&*f.event) : nullptr;
    if (!c) continue;
    for (const auto& s : w_.db.rows().sessions()) {
      if (s.second.waiting_interaction) c->request = request_id{s.second.waiting_interaction->text()};
    }
  }
}

void owner::decide(transaction& t, pending& input) {
  auto what = input.what;
  pending given{what, {}};
  plant_into(given);
  what = given.what;
  if (auto* ask = std::get_if<asked>(&what)) {
    ask->prior = t.written.prior_of(ask->request);
    ask->from = ++last_token_;
    if (input.answer) waiting_[ask->from] = input.answer;
  }
  for (const auto& [session, id] : tree_->facts_needed(what)) tree_->add_finished(t.written.finished(session, id));
  const auto steady = std::chrono::duration_cast<millis>(w_.loop.now()) + millis(1'000'000);
  auto d = tree_->apply(what, {w_.database_now(), steady, epoch_, &w_.by.ids(), w_.bounds});
  const bool waits = std::ranges::any_of(inbox_, [](const pending& p) {
    const auto* ask = std::get_if<asked>(&p.what);
    return ask && (std::holds_alternative<renew>(ask->request) || std::holds_alternative<hand_over>(ask->request));
  });
  w_.check.decided(what, d.writes, waits);
  if (!d.writes.empty()) t.written.commit(d.writes);
  for (const auto& e : d.writes.events) t.events.push_back(render(e));
  t.writes.push_back(d.writes);
  t.after.push_back(std::move(d).after(receipt_for_tests::make()));
}

void owner::finish(std::shared_ptr<transaction> t) {
  if (w_.db.epoch() != epoch_) return failed(*t, micros(0));
  if (w_.happens(w_.bad.owner_crash)) {
    w_.trace("owner crashes before its commit");
    die();
    return w_.owner_died(*this);
  }
  if (w_.happens(w_.bad.commit_fails)) return failed(*t, retry_pause);
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

void owner::committed(transaction& t) {
  for (const auto& e : t.events) w_.trace("commit " + to_text(e.at) + " " + *e.body);
  w_.db.commit(std::move(t.written), t.events);
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
void owner::failed(transaction& t, micros pause) {
  w_.db.unlock(this);
  tree_.reset();
  waiting_.clear();
  std::erase_if(t.inputs, [](const pending& p) { return std::holds_alternative<taken_over>(p.what) && !p.answer; });
  inbox_.insert(inbox_.begin(), std::make_move_iterator(t.inputs.begin()), std::make_move_iterator(t.inputs.end()));
  if (inbox_.empty()) inbox_.push_back({taken_over{}, {}});
  w_.loop.after(pause, alive_, [this] {
    busy_ = false;
    pump();
  });
}

void owner::carry_out(transaction& t) {
  std::vector<std::function<void()>> steps;
  if (!w_.planted(plant::publish_before_commit)) {
    for (const auto& e : t.events) steps.push_back([this, e] { w_.publish(e); });
  }
  for (const auto& w : t.writes) {
    note_attachments(w);
    resend_in_doubt(w, steps);
  }
  for (auto& then : t.after) {
    for (auto& o : then.orders) steps.push_back([this, o] { give(o); });
    if (!then.notices.empty()) steps.push_back([this] { w_.publish_access(); });
  }
  for (auto& then : t.after) {
    for (auto& r : then.replies) {
      if (auto who = waiting_.extract(r.to)) {
        steps.push_back([this, answer = std::move(who.mapped()), r] { answer({epoch_, r.what}); });
      }
    }
  }
  const bool crash = w_.happens(w_.bad.owner_crash);
  const auto last = crash ? w_.by.below(steps.size() + 1) : steps.size();
  for (std::size_t i = 0; i < last; ++i) steps[i]();
  if (!crash) return;
  w_.trace("owner crashes after its commit, " + std::to_string(last) + " of " + std::to_string(steps.size()) + " done");
  die();
  w_.owner_died(*this);
}

void owner::note_attachments(const changes& w) {
  for (const auto& a : w.attachments) {
    if (a.state == attachment_state::sealed) lanes_.erase(a.id);
    if (a.state != attachment_state::superseded) continue;
    std::erase_if(lanes_[a.id].orders, [](const order& o) { return std::holds_alternative<write_command>(o.what); });
    lanes_[a.id].asked = false;
    lanes_[a.id].generation = ++lanes_made_;
    send_next(a.id);
  }
  for (const auto& id : w.attachments_gone) {
    auto& l = lanes_[id];
    std::erase_if(l.orders, [](const order& o) { return !std::holds_alternative<close_attachment>(o.what); });
    l.asked = false;
    l.generation = ++lanes_made_;
    send_next(id);
  }
  for (const auto& id : w.commands_gone) {
    for (auto& [a, l] : lanes_) {
      const auto of = [&](const order& o) {
        const auto* write = std::get_if<write_command>(&o.what);
        return write && write->command == id;
      };
      if (l.orders.empty()) continue;
      const bool first = of(l.orders.front());
      std::erase_if(l.orders, of);
      if (!first) continue;
      l.asked = false;
      l.generation = ++lanes_made_;
      send_next(a);
    }
  }
}

/// The planted fault: a prompt that may have been written is written again over the new socket.
void owner::resend_in_doubt(const changes& w, std::vector<std::function<void()>>& steps) {
  if (!w_.planted(plant::in_doubt_sent_again)) return;
  for (const auto& a : w.attachments) {
    if (!a.gate_open || a.state != attachment_state::live) continue;
    for (const auto& t : w_.db.rows().turns(w_.db.root())) {
      if (is_terminal(t.record.state) || !t.in_doubt || !t.command || t.named) continue;
      agent::chat_message m{.message = t.record.prompt_message,
                            .request = request_id{t.record.id.text()},
                            .interaction = t.record.id,
                            .thread = t.thread,
                            .session = t.record.session};
      steps.push_back([this, a, m] {
        give({a.bridge, w_.db.root(), write_command{a.id, command_id{"again-" + m.request.text()}, m}});
      });
    }
  }
}

void owner::give(order o) {
  const auto id = std::visit([](const auto& x) { return x.attachment; }, o.what);
  auto& l = lanes_[id];
  if (const auto* write = std::get_if<write_command>(&o.what)) {
    for (const auto& other : l.orders) {
      const auto* known = std::get_if<write_command>(&other.what);
      if (known && known->command == write->command) return;
    }
  } else {
    std::erase_if(l.orders, [](const order& x) { return std::holds_alternative<write_command>(x.what); });
    l.asked = false;
    l.generation = ++lanes_made_;
  }
  l.orders.push_back(std::move(o));
  send_next(id);
}

void owner::send_next(const attachment_id& id) {
  const auto found = lanes_.find(id);
  if (found == lanes_.end()) return;
  auto& l = found->second;
  if (l.asked || l.orders.empty()) return;
  l.asked = true;
  l.generation = ++lanes_made_;
  const auto& o = l.orders.front();
  w_.ask_bridge(o.to, o.what, epoch_, alive_,
                [this, id, generation = l.generation](auto said) { answered(id, generation, said); });
}

void owner::answered(const attachment_id& id, std::uint64_t generation, std::optional<order_outcome> said) {
  const auto found = lanes_.find(id);
  if (found == lanes_.end() || found->second.generation != generation || found->second.orders.empty()) return;
  auto& l = found->second;
  const auto* write = std::get_if<write_command>(&l.orders.front().what);
  const bool again = !said || (write && *said == order_outcome::unknown);
  if (again) {
    w_.loop.after(micros(1'000'000), alive_, [this, id, generation] {
      const auto still = lanes_.find(id);
      if (still == lanes_.end() || still->second.generation != generation) return;
      still->second.asked = false;
      send_next(id);
    });
    return;
  }
  if (write) {
    const command_outcome outcome{w_.db.root(), write->attachment, write->command, *said == order_outcome::written};
    own_input(asked{outcome, 0, std::nullopt});
  }
  l.orders.pop_front();
  l.asked = false;
  send_next(id);
}

void owner::arm() {
  if (!tree_) return;
  const auto due = tree_->next_deadline();
  std::optional<micros> in;
  if (due.at) in = *due.at - w_.database_now();
  if (due.steady) {
    const auto steady = *due.steady - millis(1'000'000) - w_.loop.now();
    in = in ? std::min<micros>(*in, steady) : micros(steady);
  }
  if (!in) return;
  const auto wake = ++wake_;
  w_.loop.after(std::max(*in, micros(10'000)), alive_, [this, wake] {
    if (wake == wake_) time_has_come();
  });
}

void owner::time_has_come() {
  if (busy_ || !inbox_.empty() || w_.loop.now() < paused_until_) return;
  if (w_.loop.now() < timers_from_) return arm();
  own_input(time_passed{});
}

}  // namespace throughline::simulation
