#include "tests/scenarios/world.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "common/delta/patch.hpp"
#include "tests/scenarios/print.hpp"

namespace throughline::tests {

using namespace state_sync;

namespace {

constexpr instant beginning{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
constexpr millis renew_every{5'000};
constexpr int steps_max = 10'000;

void append(std::vector<std::string>& to, std::vector<std::string> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

millis duration_of(const std::string& text) {
  if (text.ends_with("ms")) return millis{std::stoll(text)};
  if (text.ends_with("m")) return millis{std::stoll(text) * 60'000};
  return millis{std::stoll(text) * 1000};
}

millis steady_of(instant t) {
  return std::chrono::duration_cast<millis>(t - beginning) + millis{1'000'000};
}
instant instant_of(millis steady) {
  return beginning + (steady - millis{1'000'000});
}

/// What a viewer has who has applied every event in order.
std::map<interaction_id, interaction> watched(const std::vector<event>& log) {
  std::map<interaction_id, interaction> seen;
  for (const auto& e : log) {
    if (const auto* full = std::get_if<std::shared_ptr<const interaction>>(&e.body)) {
      seen[e.interaction] = **full;
    } else if (const auto* set = std::get_if<patch_set>(&e.body)) {
      const auto found = seen.find(e.interaction);
      if (found == seen.end() || is_terminal(found->second.state)) {
        throw std::runtime_error("a patch outside its turn at " + to_text(e.at));
      }
      delta::apply(found->second.entries, *set);
    }
  }
  return seen;
}

std::string difference(const std::vector<std::string>& lived, const std::vector<std::string>& loaded) {
  for (std::size_t i = 0; i < std::max(lived.size(), loaded.size()); ++i) {
    const auto a = i < lived.size() ? lived[i] : "(nothing)";
    const auto b = i < loaded.size() ? loaded[i] : "(nothing)";
    if (a != b) return "\n    lived:  " + a + "\n    loaded: " + b;
  }
  return {};
}

}  // namespace

world::world() : bridges_(names_), now_(beginning) {
  reload();
}

void world::reload() {
  tree_ = std::make_unique<tree>(store_.load(root_));
}

std::vector<std::string> world::run(const act& a) {
  auto out = perform(a);
  for (auto& row : out) row = names_.shorten(row);
  return out;
}

world::lines world::perform(const act& a) {
  const auto& l = a.input;
  const auto& kind = l.word(0);
  if (kind == "begin") return begin(l.words.size() > 1);
  if (kind == "set") {
    if (l.has("stale")) bounds_.stale_after = duration_of(l.option("stale"));
    if (l.has("ready")) bounds_.ready_timeout = duration_of(l.option("ready"));
    return {};
  }
  if (kind == "wait") return wait(l);
  if (kind == "crash") return crash();
  if (kind == "deaf") {
    tree_->was_deaf_until(steady_of(now_));
    return {};
  }
  if (kind == "fail") return fail(a);
  if (kind == "show") return show(l);
  if (kind == "catch_up") return catch_up(attachment_id{l.word(1)});
  if (kind == "epoch") {
    epoch_ = std::stoull(l.word(1));
    return crash();
  }
  return decide(asked{request_of(a), 1, std::nullopt});
}

decision world::decide_on(const row_store& rows, tree& on, const input& what, id_source& ids) const {
  auto full = what;
  if (auto* ask = std::get_if<asked>(&full)) ask->prior = rows.prior_of(ask->request);
  for (const auto& [session, id] : on.facts_needed(full)) on.add_finished(rows.finished(session, id));
  const auto owner = "owner " + std::to_string(owners_);
  return on.apply(full, {now_, steady_of(now_), epoch_, &ids, bounds_, owner});
}

world::lines world::decide(const input& what, bool twin) {
  const auto before = store_;
  auto ids = ids_;
  auto decided = decide_on(store_, *tree_, what, ids);
  store_.commit(decided.writes);
  const auto writes = decided.writes;
  const auto then = std::move(decided).after(receipt_for_tests::make());
  if (twin) compare_with_twin(before, what, writes, then);
  ids_ = ids;
  check_viewers();
  check_one_running();
  lines out;
  for (const auto& e : writes.events) out.push_back(print(e));
  append(out, print(then));
  return out;
}

/// An owner that has just loaded the tree decides as the one that has held it all along, but for who waits for a
/// cancel, whom only the living owner knows.
void world::compare_with_twin(const row_store& before, const input& what, const changes& lived,
                              const consequences& then) const {
  auto ids = ids_;
  tree loaded(before.load(root_));
  auto decided = decide_on(before, loaded, what, ids);
  auto rows = print_rows(decided.writes);
  auto rest = std::move(decided).after(receipt_for_tests::make());
  if (const auto gap = difference(print_rows(lived), rows); !gap.empty()) {
    throw std::runtime_error("a reloaded tree writes something else:" + gap);
  }
  auto known = then;
  known.replies.clear();
  rest.replies.clear();
  if (const auto gap = difference(print(known), print(rest)); !gap.empty()) {
    throw std::runtime_error("a reloaded tree causes something else:" + gap);
  }
}

world::lines world::wait(const line& l) {
  const bool alive = l.words.size() < 3 || l.word(2) != "silent";
  return pass_until(now_ + duration_of(l.word(1)), alive);
}

world::lines world::pass_until(instant to, bool bridges_alive) {
  lines out;
  const auto began = now_;
  auto renew_at = now_ + renew_every;
  for (int i = 0; i < steps_max; ++i) {
    const auto due = tree_->next_deadline();
    const auto by_clock = due.at.value_or(instant::max());
    const auto by_steady = due.steady ? instant_of(*due.steady) : instant::max();
    auto next = std::min(by_clock, by_steady);
    const bool renew_first = bridges_alive && renew_at < next;
    if (renew_first) next = renew_at;
    if (next > to) {
      now_ = to;
      return out;
    }
    now_ = std::max(now_, next);
    lines got;
    if (renew_first) {
      renew_at += renew_every;
      for (const auto& a : store_.load(root_).attachments) {
        if (a.state == attachment_state::live) decide(asked{renewal{root_, a.id}, 0, std::nullopt});
      }
    } else {
      // Silence is of the living owner's memory only.
      got = decide(time_passed{}, now_ < by_steady);
    }
    if (got.empty()) continue;
    out.push_back("after " + std::to_string(std::chrono::duration_cast<millis>(now_ - began).count()) + "ms");
    append(out, std::move(got));
  }
  throw std::runtime_error("a deadline that does not move");
}

/// What most stories begin with, not printed: a session of alice, ses-1, with a ready agent on a1; `begin thread`: and
/// a first turn, int-0, done on thread t1.
world::lines world::begin(bool with_thread) {
  std::string text = "create alice name=s agent=zed-agent\ntoken alice t\nattach a1\nframes a1\n> ready\n";
  if (with_thread) {
    text +=
        "post alice first\nframes a1\n> thread t1 request=first\n> say t1 1 one request=first\n> done t1 "
        "request=first\n";
  }
  for (auto& a : parse_story(text).acts) {
    const auto turns = store_.turns(root_);
    for (auto& f : a.frames) {
      for (auto& [key, value] : f.options) {
        if (value == "first") value = turns.back().record.id.text();
      }
    }
    perform(a);
  }
  names_.shorten(root_.text());
  if (with_thread) names_.name(store_.turns(root_).back().record.id.text(), "int-0");
  return {};
}

world::lines world::crash() {
  ++owners_;
  reload();
  return decide(taken_over{});
}

/// The transaction does not commit: what was decided never happened.
world::lines world::fail(const act& a) {
  act inner = a;
  inner.input.words.erase(inner.input.words.begin());
  auto ids = ids_;
  decide_on(store_, *tree_, asked{request_of(inner), 1, std::nullopt}, ids);
  ids_ = ids;
  reload();
  return {};
}

/// As a bridge does: goes back to what the owner expects, sends in full what it cannot apply, until all is applied.
world::lines world::catch_up(const attachment_id& a) {
  const auto text = [&](const std::string& input) { return parse_story(input + "\n").acts.at(0); };
  auto next = text("again " + a.text() + " from=1");
  lines out;
  for (int i = 0; i < steps_max; ++i) {
    auto got = perform(next);
    const auto last = parse_line(got.empty() ? "" : got.back());
    append(out, std::move(got));
    if (last.words.size() < 3) return out;
    const bool one_done = last.words[1] == "applied" || last.words[1] == "refused";
    if (one_done) {
      const auto done = std::stoull(last.words[2]);
      if (done >= bridges_.last_number(a)) return out;
      next = text("again " + a.text() + " from=" + std::to_string(done + 1));
      continue;
    }
    if (last.words[1] == "expected") next = text("again " + a.text() + " from=" + last.words[2]);
    if (last.words[1] == "need_full") next = text("full " + a.text() + " from=" + last.words[2]);
    if (last.words[1] != "expected" && last.words[1] != "need_full") return out;
  }
  throw std::runtime_error("a hand-over that does not end");
}

world::lines world::show(const line& l) const {
  lines out;
  for (const auto& t : store_.turns(session_of(l))) out.push_back(print(t));
  return out;
}

void world::check_viewers() const {
  for (const auto& [id, s] : store_.sessions()) {
    const auto seen = watched(store_.events(id));
    const auto stored = store_.turns(id);
    if (seen.size() != stored.size()) throw std::runtime_error("a turn nobody has seen");
    for (const auto& t : stored) {
      auto view = turn_row{.record = seen.at(t.record.id)};
      if (print(view) != print(t)) {
        throw std::runtime_error("a viewer differs from the database:\n    viewer:   " + print(view) +
                                 "\n    database: " + print(t));
      }
    }
  }
}

void world::check_one_running() const {
  for (const auto& [id, s] : store_.sessions()) {
    std::set<std::string> busy;
    for (const auto& t : store_.turns(id)) {
      if (is_terminal(t.record.state)) continue;
      const auto where = t.thread ? t.thread->text() : "";
      if (!busy.insert(where).second) throw std::runtime_error("two turns run on one thread of " + id.text());
    }
  }
}

}  // namespace throughline::tests
