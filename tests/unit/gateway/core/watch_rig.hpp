#pragma once
// A watch between a model of the database and viewers that write down, and check, what they get.

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "services/gateway/core/watch.hpp"

namespace throughline::gateway::test {

struct seen {
  bool admitted = false, refused = false, closed = false;
  bool full = false;  ///< its queue takes nothing
  wire_version version = wire_version::v1;
  unsigned heartbeats = 0;
  std::vector<std::string> frames;  ///< "state 1:4", "base 1:4", "1:5"
  position at;
  position opened_at;  ///< what the watch had been told of when the viewer's socket opened

  void state(const full_state& s, bool with_baseline) {
    // The first frame replaces whatever the client had from another socket.
    CHECK_MESSAGE((frames.empty() || s.head >= at), "a step back from " << to_text(at) << " to " << to_text(s.head));
    CHECK_MESSAGE(s.head >= opened_at, to_text(s.head) << " is older than the connection, at " << to_text(opened_at));
    CHECK(*s.body == "state " + to_text(s.head));
    CHECK(with_baseline == (version == wire_version::v1));
    at = s.head;
    frames.push_back(*s.body);
    if (with_baseline && s.baseline) frames.push_back(*s.baseline);
  }
  /// Events from before a failover keep their epoch.
  void replayed(const replay::live_event& e) {
    CHECK(e.at.seq == at.seq + 1);
    at.seq = e.at.seq;
    frames.push_back(*e.body);
  }
  void event(const replay::live_event& e) {
    CHECK_MESSAGE(e.at == position(at.epoch, at.seq + 1), to_text(e.at) << " after " << to_text(at));
    CHECK(*e.body == to_text(e.at));
    at = e.at;
    frames.push_back(*e.body);
  }
};

class rig {
 public:
  watch core;
  millis now{1'000};
  position head{1, 3};                                                     ///< of the database
  std::map<std::uint64_t, std::uint64_t> written{{1, 1}, {2, 1}, {3, 1}};  ///< seq -> epoch
  bool found = true;
  access_list access{user_id("ana"), {}, 1};
  std::map<viewer_key, seen> viewers;
  unsigned snapshots_asked = 0;
  unsigned snapshots_open = 0;
  std::optional<effect::ask_range> range;
  unsigned ranges_asked = 0;
  std::optional<effect::ask_resume> resume;
  unsigned resumes_asked = 0;
  std::size_t resume_most = watch::resume_events_max;  ///< what a read gives at most
  position told;                                       ///< the highest position that reached the watch

  viewer_key knock(const char* user = "ana", wire_version version = wire_version::v1) {
    watch_effects out;
    const auto who = core.knock(user_id(user), version, now, out);
    viewers[who] = {};
    viewers[who].version = version;
    perform(out);
    return who;
  }
  void open(viewer_key who, std::optional<position> since = std::nullopt) {
    watch_effects out;
    core.open(who, since, now, out);
    viewers[who].opened_at = told;
    if (since) viewers[who].at = *since;
    perform(out);
  }
  /// Knock, answered by the database, and open.
  viewer_key join(wire_version version = wire_version::v1) {
    const auto who = knock("ana", version);
    while (snapshots_open > 0) answer_snapshot();
    open(who);
    while (snapshots_open > 0) answer_snapshot();
    return who;
  }
  void commit() { written[++head.seq] = head.epoch; }
  replay::live_event stored(std::uint64_t seq) const {
    const position at{written.at(seq), seq};
    return {.at = at,
            .kind = event_kind::interaction_patch,
            .interaction = {},
            .terminal = false,
            .body = std::make_shared<const std::string>(to_text(at))};
  }
  void deliver(replay::live_event e) {
    watch_effects out;
    told = std::max(told, e.at);
    core.event(std::move(e), now, out);
    perform(out);
  }
  void commit_and_deliver() { commit(), deliver(stored(head.seq)); }
  session_reading reading() const {
    session_reading r;
    r.found = found;
    r.head = head;
    r.access = access;
    r.body = "state " + to_text(head);
    r.baseline = "base " + to_text(head);
    return r;
  }
  void answer_snapshot() { answer_snapshot(reading()); }
  void answer_snapshot(std::optional<session_reading> r) {
    REQUIRE(snapshots_open == 1);
    --snapshots_open;
    watch_effects out;
    if (r) told = std::max(told, r->head);
    core.snapshot(std::move(r), now, out);
    perform(out);
  }
  void answer_range(std::size_t most = 1'000) {
    REQUIRE(range);
    const auto ask = *std::exchange(range, std::nullopt);
    const bool known = ask.missing.since.epoch == head.epoch && ask.missing.since.seq <= head.seq;
    std::vector<replay::live_event> events;
    for (auto seq = ask.missing.since.seq + 1; known && seq <= ask.missing.to && events.size() < most; ++seq) {
      if (written.contains(seq)) events.push_back(stored(seq));
    }
    watch_effects out;
    core.range(ask.ticket, std::move(events), known, now, out);
    perform(out);
  }
  resumption missed_now() const {
    REQUIRE(resume);
    const auto since = resume->since;
    const bool stored_so = written.contains(since.seq) && written.at(since.seq) == since.epoch;
    resumption answer{.events = {}, .head = head, .complete = true};
    answer.known = stored_so || (since.epoch == head.epoch && since.seq <= head.seq);
    for (auto seq = since.seq + 1; answer.known && answer.complete && seq <= head.seq; ++seq) {
      answer.events.push_back(stored(seq));
      answer.complete = seq == head.seq || answer.events.size() < resume_most;
    }
    return answer;
  }
  void answer_resume() { answer_resume(missed_now()); }
  void answer_resume(std::optional<resumption> answer) {
    const auto ask = *std::exchange(resume, std::nullopt);
    watch_effects out;
    core.resumed(ask.ticket, std::move(answer), now, out);
    perform(out);
  }
  void lose_range() {
    const auto ask = *std::exchange(range, std::nullopt);
    watch_effects out;
    core.range(ask.ticket, std::nullopt, true, now, out);
    perform(out);
  }
  head_reading head_now() const { return {session_id("s"), found, head, access}; }
  void check_head() { answer_head(core.held(), head_now(), now); }
  void answer_head(position held_when_asked, const head_reading& r, millis asked_at) {
    watch_effects out;
    told = std::max(told, r.head);
    core.head(held_when_asked, r, asked_at, now, out);
    perform(out);
  }
  void pass(millis by) {
    now += by;
    const auto due = core.next_deadline();
    if (!due || *due > now) return;
    watch_effects out;
    core.time_passed(now, out);
    perform(out);
  }
  void writable(viewer_key who) {
    viewers[who].full = false;
    watch_effects out;
    core.writable(who, now, out);
    perform(out);
  }

  void perform(const watch_effects& effects) {
    for (const auto& one : effects) {
      std::visit([this](const auto& e) { take(e); }, one);
    }
  }

 private:
  void take(const effect::ask_snapshot&) {
    ++snapshots_asked;
    ++snapshots_open;
    CHECK(snapshots_open == 1);  // one in flight, shared by all
  }
  void take(const effect::ask_range& ask) {
    ++ranges_asked;
    range = ask;
  }
  // One in flight; a reset makes the one before it void.
  void take(const effect::ask_resume& ask) { resume = ask, ++resumes_asked; }
  void take(const effect::send_replay& e) {
    for (const auto who : e.to) {
      auto& v = viewers[who];
      if (v.at.epoch != e.at.epoch) v.at.epoch = e.what.empty() ? e.at.epoch : e.what.front().at.epoch;
      for (const auto& event : e.what) v.replayed(event);
      v.at = {e.at.epoch, v.at.seq};
      CHECK(v.at == e.at);
      v.frames.push_back("complete " + to_text(e.at));
      if (v.full) core.overflowed(who, e.at);  // what belongs together waits together
    }
  }
  void take(const effect::heartbeat& e) {
    for (const auto& [who, at] : e.to) {
      CHECK(viewers[who].version == wire_version::v2);
      if (viewers[who].full) continue;  // the shell gives none to one that took no more: it may have missed what is new
      CHECK(viewers[who].at == at);
      ++viewers[who].heartbeats;
    }
  }
  void take(const effect::admit& e) { viewers[e.who].admitted = true; }
  void take(const effect::refuse& e) { viewers[e.who].refused = true; }
  void take(const effect::close_not_found& e) { viewers[e.who].closed = true; }
  void take(const effect::send_state& e) {
    for (const auto who : e.to) {
      auto& v = viewers[who];
      if (v.full) {
        core.overflowed(who, {});
      } else {
        v.state(*e.what, e.with_baseline);
      }
    }
  }
  void take(const effect::send_event& e) {
    for (const auto who : e.to) {
      auto& v = viewers[who];
      if (v.full) {
        core.overflowed(who, v.at);
      } else {
        v.event(e.what);
      }
    }
  }
};

}  // namespace throughline::gateway::test
