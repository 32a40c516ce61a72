// Frames that kill or fail their owner (design 3.6): alone in their transactions from the third attempt on, refused as
// poison in the end, and no other session pays for it.

#include <algorithm>

#include <doctest/doctest.h>

#include "tests/unit/state-sync/shell/writer_bench.hpp"

using namespace throughline;
using namespace throughline::testing;
using namespace std::chrono_literals;

namespace {

const session_id other{"ses_01h2xcejqtf2nbrexx3vqj1000"};
const attachment_id socket{"att_1"};
const bridge_id bridge{"brg_1"};
const std::string deadly = "NEW.body LIKE '%deadly%'";

agent_event said(const std::string& text, const std::string& request) {
  return agent::message_added{
      .thread = thread_id{"t1"}, .message = message_id{"1"}, .content = {.text = text}, .request = request_id{request}};
}

/// A session with a ready agent and a prompt that runs on thread t1; and another session.
struct suspects_bench : writer_bench {
  suspects_bench() {
    REQUIRE(create());
    REQUIRE(create("other", other));
    REQUIRE(ask(mint_agent_token{{user_id("alice"), "t", "f"}, sample_session, "hash", std::nullopt}));
    REQUIRE(ask(attach{sample_session, socket, bridge, "hash", std::nullopt}));
    REQUIRE(ask(prompt("p")));
    REQUIRE(replies.reach(5));
    turn = database.sql("SELECT interaction_id FROM prompts")[0][0].as<std::string>();
    frames({agent::agent_ready{}, agent::thread_created{thread_id{"t1"}, request_id{turn}, std::nullopt}});
    REQUIRE(replies.reach(6));
  }

  /// The next frames of the agent; their reply arrives in `replies`.
  void frames(std::vector<agent_event> events, std::uint32_t attempt = 1, std::uint64_t from = 0, millis budget = 20s) {
    hand_over h{sample_session, socket, bridge, 0, attempt, {}};
    auto number = from == 0 ? last + 1 : from;
    for (auto& e : events) h.frames.push_back({number++, std::move(e)});
    last = std::max(last, number - 1);
    REQUIRE(ask(std::move(h), budget));
  }
  /// The frame after the last, again and again as a bridge does: another attempt when nothing is heard in time, the
  /// same one after an answer that only puts it off. The last answer.
  hand_over_result insist(const agent_event& event, millis budget) {
    const auto number = last + 1;
    std::uint32_t attempt = 1;
    for (int i = 0; i < 100; ++i) {
      const auto before = replies.count();
      frames({event}, attempt, number, budget);
      const auto until = std::chrono::steady_clock::now() + budget;
      const bool heard =
          eventually([&] { return replies.count() > before || std::chrono::steady_clock::now() > until; });
      if (!heard || replies.count() == before) {
        ++attempt;
      } else if (const auto said = result(before); said.code != "put off") {
        return said;
      }
    }
    return {hand_over_status::unknown, 0, "never decided"};
  }
  hand_over_result result(std::size_t which) const {
    const auto decoded = codec::decode_reply(replies.all().at(which).body);
    const auto* r = std::get_if<hand_over_result>(&decoded->what);
    return r ? *r : hand_over_result{hand_over_status::unknown, 0, "put off"};
  }
  std::size_t refused_as_poison(std::uint64_t number) const {
    std::size_t found = 0;
    for (std::size_t i = 0; i < replies.count(); ++i) {
      const auto r = result(i);
      found += r.status == hand_over_status::refused && r.number == number && r.code == "poison" ? 1 : 0;
    }
    return found;
  }
  /// Another life of an owner, as after its death.
  void next_owner() {
    writer.reset();
    start();
  }
  std::string state_of_turn() {
    return database.sql("SELECT state || ' ' || error_code FROM interactions WHERE id = '" + turn + "'")[0][0]
        .as<std::string>();
  }
  /// Another session with a running turn on thread t1, like the first one; its turn.
  std::string run_turn(const session_id& session, std::size_t i) {
    const auto before = replies.count();
    const auto hash = "hash" + std::to_string(i);
    auto first = prompt("p" + hash);
    first.session = session;
    REQUIRE(create("c" + hash, session));
    REQUIRE(ask(mint_agent_token{{user_id("alice"), "t", "f"}, session, hash, std::nullopt}));
    REQUIRE(ask(attach{session, socket_of(i), bridge, hash, std::nullopt}));
    REQUIRE(ask(first));
    REQUIRE(replies.reach(before + 4));
    const auto of = database.sql("SELECT interaction_id FROM prompts WHERE session_id = '" + session.text() + "'")[0][0]
                        .as<std::string>();
    hand_over h{session, socket_of(i), bridge, 0, 1, {}};
    h.frames.push_back({1, agent::agent_ready{}});
    h.frames.push_back({2, agent::thread_created{thread_id{"t1"}, request_id{of}, std::nullopt}});
    REQUIRE(ask(std::move(h)));
    REQUIRE(replies.reach(before + 5));
    return of;
  }
  static attachment_id socket_of(std::size_t i) { return attachment_id{"att_of_" + std::to_string(i)}; }
  /// Of owners that have begun to try what is marked.
  std::size_t lives() {
    const auto rows = database.sql("SELECT suspect_by FROM attachments WHERE suspect_by <> ''");
    if (rows.empty()) return 0;
    const auto names = rows[0][0].as<std::string>();
    return 1 + static_cast<std::size_t>(std::ranges::count(names, ' '));
  }
  bool marked() { return !database.sql("SELECT 1 FROM attachments WHERE suspect_number IS NOT NULL").empty(); }
  /// The transactions that wrote these sessions' heads last.
  std::string written_by(const session_id& session) {
    return database.sql("SELECT xmin FROM session_heads WHERE session_id = '" + session.text() + "'")[0][0]
        .as<std::string>();
  }

  std::string turn;
  std::uint64_t last = 0;
};

std::string numbered(std::size_t n) {
  return "ses_01h2xcejqtf2nbrexx3vqj2" + std::to_string(n) + "00";
}

prompt_id id_of(int n) {
  return prompt_id{"q" + std::to_string(n)};
}

post_prompt elsewhere(int n, const session_id& session = other) {
  auto p = prompt(id_of(n).text());
  p.session = session;
  return p;
}

}  // namespace

TEST_CASE("a frame whose COMMIT costs the owner its connection is refused in the end, and others go on meanwhile") {
  suspects_bench b;
  b.database.sql(at_commit("PERFORM pg_terminate_backend(pg_backend_pid())", deadly));
  b.frames({said("deadly", b.turn), said("harmless", b.turn)}, 3);
  for (int i = 0; i < 3; ++i) REQUIRE(b.ask(elsewhere(i)));
  REQUIRE(b.replies.reach(6 + 4));
  CHECK(b.answers().size() == 4 + 3);
  CHECK(b.refused_as_poison(3) == 1);
  CHECK(b.metric("commits_in_doubt_total") == 3);
  CHECK(b.state_of_turn() == "error poison");
  // What follows goes on, carefully, to the end of what was marked.
  b.frames({said("harmless", b.turn)}, 1, 4);
  REQUIRE(b.replies.reach(11));
  CHECK(b.result(10).status == hand_over_status::applied);
  CHECK(b.result(10).number == 4);
  CHECK_FALSE(b.marked());
  CHECK(b.database.sql("SELECT 1 FROM events WHERE body LIKE '%deadly%'").empty());
}

TEST_CASE("a frame that costs every connection is refused, however soon its bridge gives each of its attempts up") {
  // As long as a bridge waits; and so short that no input lives to see its second cut.
  for (const millis budget : {1000ms, 60ms}) {
    CAPTURE(budget.count());
    suspects_bench b;
    b.database.sql(at_commit("PERFORM pg_terminate_backend(pg_backend_pid())", deadly));
    const auto refused = b.insist(said("deadly", b.turn), budget);
    CHECK(refused.status == hand_over_status::refused);
    CHECK(refused.number == 3);
    CHECK(refused.code == "poison");
    CHECK(b.metric("commits_in_doubt_total") == 3);
    CHECK(b.state_of_turn() == "error poison");
  }
}

TEST_CASE("cuts before a frame was stored do not count against the frames after it") {
  suspects_bench b;
  const auto cut_twice = [&](const char* name) {
    b.database.sql(std::string("CREATE SEQUENCE ") + name + "; " +
                   at_commit(std::string("IF nextval('") + name +
                                 "') <= 2 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF",
                             deadly));
  };
  std::string text;
  for (const auto* name : {"first", "second", "third"}) {
    cut_twice(name);
    text += " deadly";
    const auto stored = b.insist(said(text, b.turn), 20s);
    CHECK(stored.status == hand_over_status::applied);
    b.database.sql(repaired);
  }
  CHECK(b.metric("commits_in_doubt_total") == 6);
}

TEST_CASE("while one session's frames cost every connection, the others of the same batch are stored") {
  suspects_bench b;
  b.database.sql("CREATE SEQUENCE held; " +
                 at_commit("IF NEW.body LIKE '%deadly%' THEN PERFORM pg_terminate_backend(pg_backend_pid()); "
                           "ELSIF nextval('held') = 1 THEN PERFORM pg_sleep(0.5); END IF"));
  // While the first commit takes its time, the rest becomes one batch.
  REQUIRE(b.ask(elsewhere(0)));
  REQUIRE(eventually([&] { return b.database.sql("SELECT 1 FROM held WHERE is_called").size() == 1; }));
  b.frames({said("deadly", b.turn)});
  for (int i = 1; i <= 3; ++i) REQUIRE(b.ask(elsewhere(i)));
  REQUIRE(b.replies.reach(6 + 4));
  CHECK(b.answers().size() == 4 + 4);
  CHECK(b.metric("commits_in_doubt_total") >= 2);
}

TEST_CASE("a frame that two owners began to try and did not survive is refused, its turn ended") {
  suspects_bench b;
  // Its commit never ends: the owner dies of it, as far as its successor can tell.
  b.database.sql(failing_commit("53100", deadly));
  for (unsigned life = 1; life <= 2; ++life) {
    const auto before = b.metric("batch_retries_total");
    b.frames({said("deadly", b.turn)}, 2 + life, 3);
    REQUIRE(eventually([&] { return b.lives() == life && b.metric("batch_retries_total") >= before + 2; }));
    b.next_owner();
    REQUIRE(b.replies.reach(6 + life));
    CHECK(b.result(5 + life).code == "put off");
  }
  b.database.sql(repaired);
  b.frames({said("deadly", b.turn)}, 5, 3);
  REQUIRE(b.replies.reach(9));
  CHECK(b.result(8).status == hand_over_status::refused);
  CHECK(b.result(8).code == "poison");
  CHECK(b.state_of_turn() == "error poison");
  CHECK_FALSE(b.marked());
}

TEST_CASE("a frame whose owner was replaced while it tried it is tried by the next one") {
  suspects_bench b;
  b.database.sql(failing_commit("53100", deadly));
  b.frames({said("deadly", b.turn)}, 3);
  REQUIRE(eventually([&] { return b.lives() == 1 && b.metric("batch_retries_total") >= 2; }));
  b.next_owner();
  b.database.sql(repaired);
  b.frames({said("deadly", b.turn)}, 4, 3);
  REQUIRE(b.replies.reach(8));
  CHECK(b.result(7).status == hand_over_status::applied);
  CHECK(b.result(7).number == 3);
  CHECK_FALSE(b.marked());
}

TEST_CASE("suspect hand-overs of several sessions are marked in one transaction, and each is tried alone") {
  suspects_bench b;
  constexpr std::size_t more = 4;
  std::vector<std::string> turns;
  for (std::size_t i = 0; i < more; ++i) turns.push_back(b.run_turn(session_id(numbered(i)), i));
  b.database.sql("CREATE SEQUENCE held; " + at_commit("IF nextval('held') = 1 THEN PERFORM pg_sleep(0.5); END IF"));
  REQUIRE(b.ask(elsewhere(0)));
  REQUIRE(eventually([&] { return b.database.sql("SELECT 1 FROM held WHERE is_called").size() == 1; }));
  const auto before = b.metric("batches_total");
  const auto answered = b.replies.count();
  b.frames({said("careful", b.turn)}, 3);
  for (std::size_t i = 0; i < more; ++i) {
    hand_over h{session_id(numbered(i)), b.socket_of(i), bridge, 0, 3, {}};
    h.frames.push_back({3, said("careful", turns[i])});
    REQUIRE(b.ask(std::move(h)));
  }
  REQUIRE(b.replies.reach(answered + 1 + 1 + more));
  // The one that took its time, the marks, and each frame.
  CHECK(b.metric("batches_total") == before + 1 + 1 + (1 + more));
  CHECK_FALSE(b.marked());
  CHECK(b.database.sql("SELECT DISTINCT xmin::text FROM events WHERE body LIKE '%careful%'").size() == 1 + more);
}

TEST_CASE("errors of the database, however many, are nobody's fault: a suspect hand-over waits for their end") {
  suspects_bench b;
  b.database.sql(failing_commit("53100", deadly));
  b.frames({said("deadly", b.turn)}, 3);
  REQUIRE(eventually([&] { return b.marked() && b.metric("batch_retries_total") >= 6; }));
  b.database.sql(repaired);
  REQUIRE(b.replies.reach(7));
  CHECK(b.result(6).status == hand_over_status::applied);
  CHECK_FALSE(b.marked());
}

TEST_CASE("a suspect hand-over shares its transactions with nothing, not even with what follows it in its session") {
  suspects_bench b;
  b.database.sql("CREATE SEQUENCE held; " + at_commit("IF nextval('held') = 1 THEN PERFORM pg_sleep(0.5); END IF"));
  // While the first commit takes its time, the rest becomes one batch.
  REQUIRE(b.ask(elsewhere(0)));
  REQUIRE(eventually([&] { return b.database.sql("SELECT 1 FROM held WHERE is_called").size() == 1; }));
  b.frames({said("careful", b.turn)}, 3);
  REQUIRE(b.ask(elsewhere(1)));
  REQUIRE(b.ask(elsewhere(2, sample_session)));
  REQUIRE(b.replies.reach(10));
  CHECK_FALSE(b.marked());
  const auto patch = b.database.sql("SELECT xmin FROM events WHERE body LIKE '%careful%'");
  REQUIRE(patch.size() == 1);
  const auto alone = patch[0][0].as<std::string>();
  CHECK(b.database.sql("SELECT 1 FROM events WHERE xmin::text = '" + alone + "'").size() == 1);
  CHECK(alone != b.written_by(other));
  CHECK(alone != b.written_by(sample_session));
}
