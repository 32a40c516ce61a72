#include "tests/simulation/checks.hpp"

#include <algorithm>

#include "tests/simulation/follower.hpp"
#include "tests/simulation/stock_agent.hpp"
#include "tests/simulation/viewer.hpp"
#include "tests/simulation/violation.hpp"
#include "tests/simulation/world.hpp"

namespace throughline::simulation {

using namespace state_sync;

namespace {

/// Without any fault a viewer has an event this soon.
constexpr micros prompt_enough{500'000};

/// A revoked right ends within a head check's interval and one round trip, in which every message may be lost once.
constexpr micros revoked_enough{5'000'000 + 4'000'000};

bool is_cancelled(const turn_row& t) {
  return t.cancel_deadline || (t.record.state == turn_state::interrupted && t.record.error_code.empty());
}

}  // namespace

void checks::shown(const session_id& session, const view& page, position at) const {
  if (page.digest() == w_.db.digest_at(session, at)) return;
  throw violation("one_order", "a viewer at " + to_text(at) + " shows\n" + page.text() + "\nand the log is\n" +
                                   w_.db.text_at(session, at));
}

void checks::delivered(const session_id& session, position at, const std::string& body) const {
  const auto* stored = w_.db.find(session, at);
  must(stored != nullptr, "commit_before_publish", "shown and not committed: " + body);
  must(*stored->body == body, "one_order", "shown: " + body + "\nand committed: " + *stored->body);
}

void checks::may_see(const user_id& who) const {
  const auto at = revoked_at_.find(who);
  if (at == revoked_at_.end()) return;
  const auto longest = w_.bad.clean() ? prompt_enough : revoked_enough;
  // No replica at all: nobody can know.
  const auto from = std::max(at->second, nobody_read_at_);
  must(now() - from <= longest, "isolation", who.text() + " sees what a revoked right showed");
}

micros checks::now() const {
  return w_.loop.now();
}

void checks::rights(const changes& writes) {
  for (const auto& [session, user] : writes.grants_gone) revoked_at_.emplace(user, w_.loop.now());
  for (const auto& g : writes.grants) revoked_at_.erase(g.value.user);
}

/// Validation and rights are never stored, nor is what needs no row of its own.
void checks::acknowledged(const std::string& scope, const std::string& id, const answer& what) {
  const bool is_stored = what.status < 400 || what.status == 429;
  if (!is_stored || w_.db.has_lost_commits()) return;
  const auto stored = w_.db.rows().answer(scope, id);
  must(stored && stored->body == what.body, "commit_before_answer",
       "answered " + what.body + " under " + id + ", stored " + (stored ? stored->body : "nothing"));
  const auto [given, first] = answers_.emplace(scope + "/" + id, what.body);
  must(first || given->second == what.body, "one_answer", "under " + id + " " + given->second + " and " + what.body);
}

void checks::handed_over(const attachment_id& to, std::uint64_t number) const {
  const auto at = applied_.find(to);
  must(at != applied_.end() && number <= at->second, "commit_before_answer", "a frame acknowledged and not committed");
}

void checks::written_to_agent(const request_id& request) {
  const auto& id = request.text();
  must(turns_committed_.contains(id), "commit_before_write", "a prompt was written and not committed: " + id);
  // A numbered agent that was restarted knows nothing of what it had been sent, and has said nothing of it (6.3).
  const auto lives = w_.the_agent->is_numbered() ? w_.the_agent->restarts() : 0;
  const bool once = ++writes_[id] <= 1 + std::min(gone_[id], 1) + lives;
  must(once || w_.db.has_lost_commits(), "written_once", "a prompt was written twice: " + id);
}

void checks::decided(const input& what, const changes& writes, bool bridge_waits) {
  if (!std::holds_alternative<time_passed>(what) || !bridge_waits) return;
  for (const auto& a : writes.attachments) {
    must(a.state != attachment_state::detached, "input_before_timers", "detached with input of its bridge waiting");
  }
}

void checks::committed(const std::optional<std::string>& cancel, const changes& writes) {
  for (const auto& a : writes.attachments) applied_[a.id] = std::max(applied_[a.id], a.applied);
  const auto accept = [&](const std::string& content, const interaction_id& id, const session_id& s, bool interrupt) {
    const auto [at, is_new] = turn_of_prompt_.emplace(content, id.text());
    must(at->second == id.text(), "one_turn_per_prompt", content + " is " + at->second + " and " + id.text());
    if (is_new) accepted_.push_back({s.text(), id.text(), interrupt});
  };
  for (const auto& p : writes.prompts) {
    accept(p.prompt.content, p.prompt.interaction, p.session, p.prompt.interrupt);
  }
  for (const auto& t : writes.turns) {
    turns_committed_.insert(t.record.id.text());
    if (t.origin == turn_origin::prompt) {
      accept(t.record.prompt_message, t.record.id, t.record.session, t.interrupt);
    }
    if (cancel && is_cancelled(t)) cancelled_by_[*cancel].insert(t.record.id.text());
  }
  if (cancel) {
    for (const auto& [s, id] : writes.prompts_gone) {
      const bool begun = std::ranges::any_of(writes.turns, [&](const turn_row& t) { return t.record.id == id; });
      if (!begun) cancelled_by_[*cancel].insert(id.text());
    }
    must(cancelled_by_[*cancel].size() <= 1, "one_turn_per_cancel", *cancel + " cancelled more than one turn");
  }
  rights(writes);
  if (!w_.bad.clean()) return;
  // Nothing fails in this run: everybody has it soon.
  for (const auto& e : writes.events) {
    w_.loop.after(prompt_enough, alive_, [this, session = e.session, seq = e.at.seq] {
      for (const auto& v : w_.viewers) {
        const bool watches = v->open() && v->session() == session && w_.loop.now() - v->opened_at() > prompt_enough;
        // Full states that were asked for go at a pace of their own (design 5.4).
        must(!watches || v->awaits_state() || v->shows().at().seq >= seq, "promptness",
             "a viewer is at " + to_text(v->shows().at()) + " and " + std::to_string(seq) + " was committed long ago");
      }
    });
  }
}

void checks::failed_over() {
  turn_of_prompt_.clear();
  revoked_at_.clear();
  accepted_.clear();
  cancelled_by_.clear();
}

agent_turn& checks::begins(agent_turn t) {
  agent_turns_.push_back(std::make_unique<agent_turn>(std::move(t)));
  return *agent_turns_.back();
}

void checks::lost_of_thread(const std::string& thread) {
  for (auto& t : agent_turns_) {
    if (thread.empty() || t->thread == thread) t->disturbed = true;
  }
  if (thread.empty()) {
    lost_all_ = true;
  } else {
    lost_threads_.insert(thread);
  }
}

void checks::lost_on_the_way(const std::string& thread) {
  if (!w_.the_agent->is_numbered()) lost_of_thread(thread);
}

bool checks::is_disturbed(const std::string& thread) const {
  return lost_threads_.contains(thread);
}

void checks::at_rest() const {
  turns_at_rest();
  viewers_at_rest();
  followers_at_rest();
  order_at_rest();
  texts_at_rest();
}

void checks::turns_at_rest() const {
  bool left_alone = false;
  for (const auto& [id, row] : w_.db.rows().sessions()) {
    for (const auto& t : w_.db.rows().turns(id)) {
      if (is_terminal(t.record.state)) continue;
      // What the agent had said was lost with the old primary, and it says nothing twice: silent on a live socket (G6).
      const bool dropped = w_.db.has_lost_commits() && w_.the_agent->has_dropped(request_id{t.record.id.text()});
      left_alone = left_alone || dropped;
      if (dropped) continue;
      throw violation("no_turn_hangs", "open at rest: " + t.record.id.text() + " " + t.record.prompt_message +
                                           (t.in_doubt ? ", in doubt" : "") + (t.lost_since ? ", lost" : "") +
                                           (t.doubt_since ? ", doubt counted" : "") + (t.named ? ", named" : ""));
    }
  }
  for (const auto& p : w_.db.rows().load(w_.db.root()).prompts) {
    if (left_alone) break;
    throw violation("no_turn_hangs", "queued at rest: " + p.prompt.content);
  }
  must(w_.the_agent->is_idle() && w_.the_agent->connected(), "harness", "the agent is not at rest");
}

void checks::viewers_at_rest() const {
  const auto access = w_.db.head(w_.db.root()).access;
  for (const auto& v : w_.viewers) {
    if (!v->stays()) continue;
    if (right_of(access, v->user()) < right::watch) {
      must(!v->open(), "isolation", v->user().text() + " may not watch and does");
      continue;
    }
    must(v->open(), "convergence", "a viewer has no socket at rest");
    must(!v->awaits_answer(), "convergence", "a viewer waits for what it asked for");
    const auto head = w_.db.head(v->session()).head;
    must(v->shows().at().seq == head.seq, "convergence",
         "a viewer is at " + to_text(v->shows().at()) + " and the head is " + to_text(head));
    must(v->shows().digest() == w_.db.digest_at(v->session(), head), "convergence",
         "a viewer does not show what is stored at " + to_text(head));
  }
}

void checks::followers_at_rest() const {
  const auto access = w_.db.head(w_.db.root()).access;
  for (const auto& f : w_.followers) {
    if (f->done() || right_of(access, f->user()) < right::watch) continue;
    const auto turn = w_.db.one_interaction(f->session(), f->waits_for());
    must(!turn.inner || turn.inner->ended.seq == 0, "convergence", "a stream waits for an answer that has ended");
    must(w_.db.has_lost_commits(), "convergence", "a stream waits at rest");
  }
}

/// Prompts go out in the order they were accepted; one that interrupts may overtake.
void checks::order_at_rest() const {
  if (w_.db.has_lost_commits()) return;
  std::map<std::string, std::uint64_t> last;
  for (const auto& a : accepted_) {
    if (a.interrupt) continue;
    for (const auto& t : w_.db.rows().turns(session_id{a.session})) {
      if (t.record.id.text() != a.interaction) continue;
      must(t.record.ordinal > last[a.session], "queue_order", "overtaken: " + t.record.prompt_message);
      last[a.session] = t.record.ordinal;
    }
  }
}

/// What is said without an id, and arrives when the thread's next turn is open, is that turn's (6.1 rule 3).
bool checks::is_said_without_id(const agent_turn& other, const entry& e) const {
  const auto has = [&](const agent_turn& t) {
    return std::ranges::any_of(t.entries, [&](const entry& x) { return x.id == e.id; });
  };
  return !has(other) && std::ranges::any_of(agent_turns_, [&](const auto& t) {
    return t->request.empty() && t->thread == other.thread && has(*t);
  });
}

/// What an agent has said and no process took to its grave is stored, and under its own prompt.
void checks::texts_at_rest() const {
  std::map<std::string, turn_row> stored;
  for (const auto& [id, row] : w_.db.rows().sessions()) {
    for (auto& t : w_.db.rows().turns(id)) {
      auto prompt = t.record.prompt_message;
      stored[std::move(prompt)] = std::move(t);
    }
  }
  for (const auto& told : agent_turns_) {
    if (told->disturbed || lost_all_ || w_.db.has_lost_commits()) continue;
    const auto found = stored.find(told->prompt);
    must(found != stored.end(), "nothing_lost", "a turn is not stored: " + told->prompt);
    const auto& record = found->second.record;
    if (record.state != turn_state::complete) {
      // An answer without a word, to a prompt whose id is another's, cannot be told from that one's end (P-G4).
      const bool could_tell = w_.bad.clean() && told->spoke;
      must(!could_tell || record.state != turn_state::error || record.error_code == "empty_response", "nothing_lost",
           told->prompt + " ended as " + record.error_code + " although nothing failed");
      continue;
    }
    must(told->completed, "completion_by_identity", told->prompt + " is complete, and its agent has not said so");
    std::string said;
    std::string kept;
    for (const auto& e : told->entries) said += e.id.text() + "=" + e.content + "|" + e.tool_status + "\n";
    for (const auto& e : record.entries) {
      if (is_said_without_id(*told, e)) continue;
      kept += e.id.text() + "=" + e.content + "|" + e.tool_status + "\n";
    }
    must(said == kept, "nothing_lost", told->prompt + "\nthe agent said\n" + said + "and stored is\n" + kept);
  }
}

}  // namespace throughline::simulation
