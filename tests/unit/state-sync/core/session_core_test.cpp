// The core as its shell sees it: what a decision writes, and what stays out of it.
#include "services/state-sync/core/session_core.hpp"

#include <ctime>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/delta/text.hpp"

namespace throughline::state_sync {

class receipt_for_tests {
 public:
  static commit_receipt make() { return {}; }
};

namespace {

const session_id root{"ses_01hf7yat00qe34kchw1zj7wgsr"};
const attachment_id a1{"a1"};
const thread_id t1{"t1"};

/// A session with a ready agent on thread t1.
struct desk {
  tree state{tree_rows{}};
  id_source ids{3};
  context at{.now = instant{}, .steady = millis{1000}, .epoch = 1, .ids = &ids};
  std::uint64_t number = 0;

  decision ask(session_request r) { return state.apply(asked{std::move(r), 1, std::nullopt}, at); }
  decision frame(agent_event e) {
    return ask(hand_over{.session = root, .attachment = a1, .frames = {{++number, std::move(e)}}});
  }
  decision post(const char* id, std::string text = "go") {
    return ask(post_prompt{{user_id{"alice"}, id, id}, root, std::move(text)});
  }
  void open() {
    ask(create_session{{user_id{"alice"}, "c", "c"}, root, "s", "zed-agent", "{}"});
    ask(mint_agent_token{{user_id{"alice"}, "k", "k"}, root, "hash", std::nullopt});
    ask(attach{root, a1, bridge_id{"b1"}, "hash", std::nullopt});
    frame(agent::agent_ready{"zed-agent", std::nullopt});
  }
  /// A turn that runs on t1; its id.
  interaction_id running() {
    open();
    const auto d = post("p1");
    const auto id = d.writes.turns.at(0).record.id;
    frame(agent::thread_created{t1, request_id{id.text()}, std::nullopt});
    return id;
  }
};

agent::message_added grown(const interaction_id& id, const std::string& from, const std::string& to) {
  agent::message_added m{.thread = t1, .message = message_id{"1"}, .request = request_id{id.text()}};
  m.content = delta::delta_between(from, delta::hash_of(from), to);
  return m;
}

}  // namespace

TEST_CASE("creation is event 1, a session_update") {
  desk d;
  const auto made = d.ask(create_session{{user_id{"alice"}, "c", "c"}, root, "s", "", "{}"});
  REQUIRE(made.writes.events.size() == 1);
  CHECK(kind_of(made.writes.events[0]) == event_kind::session_update);
  CHECK(made.writes.events[0].at == position{1, 1});
  CHECK(made.writes.answers.at(0).scope == "user:alice");
}

TEST_CASE("routing keys are set in the dispatch transaction and absent after the terminal one") {
  desk d;
  d.open();
  const auto sent = d.post("p1");
  const auto& row = sent.writes.sessions.at(0);
  const auto id = sent.writes.turns.at(0).record.id;
  CHECK(row.waiting_interaction == id);
  CHECK(row.last_request == request_id{id.text()});
  CHECK(row.request_started_at.has_value());
  d.frame(agent::thread_created{t1, request_id{id.text()}, std::nullopt});
  const auto done = d.frame(agent::chat_response_error{request_id{id.text()}, "broke"});
  const auto& after = done.writes.sessions.at(0);
  CHECK_FALSE(after.waiting_interaction);
  CHECK_FALSE(after.last_request);
  CHECK_FALSE(after.request_started_at);
  CHECK(after.zed_thread == t1);
}

TEST_CASE("a streamed frame writes one patch event, the head and the attachment, nothing else") {
  desk d;
  const auto id = d.running();
  d.frame(grown(id, "", "Hello"));
  const auto more = d.frame(grown(id, "Hello", "Hello, you"));
  const auto& w = more.writes;
  REQUIRE(w.events.size() == 1);
  CHECK(std::get<patch_set>(w.events[0].body).patches.at(0).patch == ", you");
  CHECK(w.heads.size() == 1);
  CHECK(w.attachments.size() == 1);
  CHECK(w.turns.empty());
  CHECK(w.sessions.empty());
  CHECK(w.folds.empty());
}

TEST_CASE("folds weigh no more than the events they replace, and a reader never needs much more than the text") {
  desk d;
  const auto id = d.running();
  std::string text;
  std::uint64_t folded = 0, events = 0, unfolded = 0;
  for (int i = 0; i < 4000; ++i) {
    const auto before = text;
    text += "twenty bytes of text";
    const auto step = d.frame(grown(id, before, text));
    for (const auto& e : step.writes.events) {
      if (const auto* p = std::get_if<patch_set>(&e.body)) {
        events += weight_of(*p);
        unfolded += weight_of(*p);
      }
    }
    for (const auto& f : step.writes.folds) {
      CHECK(f.entries->at(0).content == text);
      folded += text.size();
      unfolded = 0;
    }
    CHECK(unfolded <= text.size() + (16 << 10) + 1024);
  }
  CHECK(folded > 0);
  CHECK(folded <= events);
}

TEST_CASE("an input that changes nothing writes nothing") {
  desk d;
  const auto id = d.running();
  d.frame(grown(id, "", "Hello"));
  const auto again =
      d.ask(hand_over{.session = root, .attachment = a1, .frames = {{d.number, grown(id, "", "Hello")}}});
  CHECK(again.writes.empty());
  CHECK(d.ask(renewal{root, a1}).writes.empty());
  CHECK(d.state.apply(time_passed{}, d.at).writes.empty());
}

TEST_CASE("100 prompts wait; the next is refused, and that is kept under its id") {
  desk d;
  d.running();
  for (int i = 0; i < 100; ++i) d.post(("q" + std::to_string(i)).c_str());
  const auto full = d.post("one-too-many");
  REQUIRE(full.writes.answers.size() == 1);
  CHECK(full.writes.answers[0].status == 429);
  CHECK_FALSE(full.writes.heads.empty());
  CHECK(full.writes.events.empty());
}

TEST_CASE("what is refused for good reasons of form is not kept") {
  desk d;
  d.open();
  CHECK(d.post("p", "").writes.empty());
  CHECK(d.post("p", std::string((1 << 20) + 1, 'x')).writes.empty());
  CHECK(d.ask(rename_session{{user_id{"mallory"}, "r", "r"}, root, "mine"}).writes.empty());
}

TEST_CASE("a deadline is due where the rules say, and a fresh tree is due at once") {
  desk d;
  CHECK_FALSE(d.state.next_deadline().at);
  d.running();
  const auto due = d.state.next_deadline();
  CHECK_FALSE(due.at);
  CHECK(due.steady == d.at.steady + millis{15'000});
  d.at.now += std::chrono::seconds{7};
  d.ask(detach{root, a1, d.number});
  CHECK(d.state.next_deadline().at == d.at.now + d.at.bounds.stale_after);
  CHECK_FALSE(d.state.next_deadline().steady);
}

/// The rows of a session as `open` makes it, on t1, with `finished` turns behind it and one open turn of this text.
tree_rows long_history(std::uint64_t finished, const std::string& text) {
  tree_rows rows;
  rows.heads.push_back({.id = root, .epoch = 1, .seq = 2 * finished});
  rows.sessions.push_back({.id = root, .root = root, .owner = user_id{"alice"}, .zed_thread = t1});
  rows.sessions.back().next_ordinal = finished + 2;
  rows.threads.push_back({.root = root, .thread = t1, .session = root});
  for (std::uint64_t i = 1; i <= finished + 1; ++i) {
    turn_row t{.thread = t1};
    t.record.id = interaction_id{"int_" + std::to_string(i)};
    t.record.session = root;
    t.record.ordinal = i;
    if (i <= finished) {
      t.record.state = turn_state::complete;
      t.digests.push_back({message_id{std::to_string(2 * i)}, 10, i});
    } else {
      t.record.entries.push_back({.id = message_id{"1"}, .content = text});
    }
    rows.turns.push_back(std::move(t));
  }
  rows.attachments.push_back({.id = a1, .root = root, .number = 1, .gate_open = true, .ready_at = instant{}});
  return rows;
}

TEST_CASE("G57: a frame costs microseconds with 10,000 finished turns behind it and 10 MB of text before it") {
  std::string text(std::size_t{10} << 20, 'x');
  desk d;
  d.state = tree(long_history(10'000, text));
  const interaction_id open{"int_10001"};
  constexpr int frames = 1000;
  auto hash = delta::hash_of(text);
  std::vector<session_request> asks;
  for (int i = 0; i < frames; ++i) {
    agent::message_added m{.thread = t1, .message = message_id{"1"}, .request = request_id{open.text()}};
    m.content = {.base = text_delta::base_name{text.size(), hash}, .keep = text.size(), .text = " more"};
    text += " more";
    hash = delta::extend(hash, " more");
    asks.emplace_back(hand_over{.session = root, .attachment = a1, .frames = {{++d.number, std::move(m)}}});
  }
  const auto began = std::clock();
  std::size_t rows = 0;
  for (auto& ask : asks) {
    const auto wrote = d.ask(std::move(ask));
    REQUIRE(wrote.writes.events.size() == 1);
    rows += wrote.writes.turns.size() + wrote.writes.folds.size();
  }
  const auto us = 1e6 * static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC / frames;
  MESSAGE("processor time per hand-over: " << us << " us");
  // The first frame of the turn marks it as named; nothing else of it is written again.
  CHECK(rows == 1);
  // Anything that looks at all turns or at the whole text takes milliseconds.
  CHECK(us < 500);
}

TEST_CASE("a frame costs the same however long the text is and however many turns have finished") {
  desk d;
  d.open();
  std::string text;
  for (int i = 0; i < 50; ++i) {
    const auto sent = d.post(("p" + std::to_string(i)).c_str());
    const auto id = sent.writes.turns.at(0).record.id;
    if (i == 0) d.frame(agent::thread_created{t1, request_id{id.text()}, std::nullopt});
    text = "answer " + std::to_string(i);
    d.frame(grown(id, "", text));
    const auto done = d.frame(agent::message_completed{.thread = t1, .request = request_id{id.text()}});
    // Only the turn that ended is written, whatever came before it.
    CHECK(done.writes.turns.size() == 1);
  }
}

TEST_CASE("a tree takes a thousand threads; frames of new ones are ignored then, and its own sessions go on") {
  desk d;
  const auto id = d.running();
  const auto announce = [&](int i) {
    return d.frame(agent::user_created_thread{thread_id{"draft-" + std::to_string(i)}, "Draft"});
  };
  for (int i = 1; i < 1'000; ++i) REQUIRE(announce(i).writes.threads.size() == 1);
  auto one_more = announce(1'000);
  CHECK(one_more.writes.threads.empty());
  CHECK(std::move(one_more).after(receipt_for_tests::make()).frames_ignored == 1);
  const auto typed_on = [&](const char* thread) {
    agent::message_added m{.thread = thread_id{thread}, .message = message_id{"9"}, .role = agent::author::user};
    m.content.text = "typed";
    return d.frame(std::move(m));
  };
  auto typed = typed_on("draft-1000");
  CHECK(typed.writes.sessions.empty());
  CHECK(std::move(typed).after(receipt_for_tests::make()).frames_ignored == 1);
  CHECK(typed_on("draft-999").writes.sessions.size() == 1);
  // The session's thread is gone: its next prompt makes a new one.
  d.frame(agent::message_completed{.thread = t1, .request = request_id{id.text()}});
  d.frame(agent::thread_load_error{.thread = t1, .request = {}, .error = "entity released"});
  const auto next = d.post("p2").writes.turns.at(0).record.id;
  const auto bound = d.frame(agent::thread_created{thread_id{"t2"}, request_id{next.text()}, std::nullopt});
  CHECK(bound.writes.threads.size() == 1);
}

namespace {

int status_of(decision d) {
  const auto then = std::move(d).after(receipt_for_tests::make());
  return std::get<answer>(then.replies.at(0).what).status;
}

}  // namespace

TEST_CASE("a tree has a thousand grants at most; those there are can still be changed") {
  desk d;
  d.open();
  const auto put = [&](int n, role what) {
    const auto id = "g" + std::to_string(n) + (what == role::editor ? "e" : "v");
    return status_of(d.ask(put_grant{{user_id{"alice"}, id, id}, root, user_id{"user-" + std::to_string(n)}, what}));
  };
  for (int n = 1; n <= 1'000; ++n) REQUIRE(put(n, role::viewer) == 200);
  CHECK(put(1'001, role::viewer) == 429);
  CHECK(put(1'000, role::editor) == 200);
  d.ask(delete_grant{{user_id{"alice"}, "gone", "gone"}, root, user_id{"user-7"}});
  CHECK(put(1'002, role::viewer) == 200);
}

TEST_CASE("a tree has a thousand live agent tokens at most; one that has expired is none") {
  desk d;
  d.open();
  const auto mint = [&](int n, std::optional<millis> ttl) {
    const auto id = "k" + std::to_string(n);
    return status_of(d.ask(mint_agent_token{{user_id{"alice"}, id, id}, root, "hash-" + id, ttl}));
  };
  REQUIRE(mint(1, millis{60'000}) == 201);
  for (int n = 2; n < 1'000; ++n) REQUIRE(mint(n, std::nullopt) == 201);
  CHECK(mint(1'000, std::nullopt) == 429);
  d.at.now += millis{60'000};
  CHECK(mint(1'001, std::nullopt) == 201);
  CHECK(mint(1'002, std::nullopt) == 429);
}

}  // namespace throughline::state_sync
