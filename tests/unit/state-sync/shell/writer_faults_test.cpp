// No shared fate (design 3.6): what fails in one session stops no other, and what is in doubt has one effect (G5).

#include <algorithm>

#include <doctest/doctest.h>

#include "tests/unit/state-sync/shell/writer_bench.hpp"

using namespace throughline;
using namespace throughline::testing;
using namespace std::chrono_literals;

namespace {

session_id session_number(int n) {
  const auto digits = std::to_string(100 + n);
  return session_id("ses_01h2xcejqtf2nbrexx3vqj" + digits + "0");
}

std::string of(const session_id& session) {
  return "NEW.session_id = '" + session.text() + "'";
}

std::size_t with_status(const writer_bench& b, int status) {
  const auto all = b.answers();
  return static_cast<std::size_t>(std::ranges::count(all, status, &answer::status));
}

/// Once, at the first COMMIT that adds an event: a rollback does not take a sequence back.
std::string once_at_commit(const std::string& what) {
  return "CREATE SEQUENCE commits; " + at_commit(what, "nextval('commits') = 1");
}

}  // namespace

TEST_CASE("a session whose commits fail holds up no other, and its inputs are kept until they can be stored") {
  writer_bench b;
  const auto bad = session_number(0);
  b.database.sql(failing_commit("P0001", of(bad)));
  REQUIRE(b.create("bad", bad));
  for (int i = 1; i <= 20; ++i) REQUIRE(b.create("good" + std::to_string(i), session_number(i)));
  REQUIRE(b.replies.reach(20));
  CHECK(with_status(b, 201) == 20);
  REQUIRE(eventually([&] { return b.metric("batch_retries_total") >= 4; }));
  CHECK(b.replies.count() == 20);
  REQUIRE(b.create("late", session_number(21)));
  REQUIRE(b.replies.reach(21));
  CHECK(b.database.sql("SELECT 1 FROM events WHERE session_id = '" + bad.text() + "'").empty());
  b.database.sql(repaired);
  REQUIRE(b.replies.reach(22));
  CHECK(with_status(b, 201) == 22);
  CHECK(b.database.sql("SELECT 1 FROM events").size() == 22);
}

TEST_CASE("what waits for a failing session is answered busy before its sender gives up") {
  writer_bench b;
  b.database.sql(failing_commit("P0001", of(sample_session)));
  const auto began = std::chrono::steady_clock::now();
  REQUIRE(b.ask(create_session{{user_id("alice"), "c", "f"}, sample_session, "name", "", "{}"}, 2s));
  REQUIRE(b.replies.reach(1));
  CHECK(std::chrono::steady_clock::now() - began < 2s);
  CHECK(b.busy() == 1);
  b.database.sql(repaired);
  REQUIRE(b.create("again"));
  REQUIRE(b.replies.reach(2));
  CHECK(with_status(b, 201) == 1);
}

TEST_CASE("what waits for a failing session is bounded, and the rest is answered busy at once") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.replies.reach(1));
  b.database.sql(failing_commit("P0001", of(sample_session)));
  for (int i = 0; i < 600; ++i) REQUIRE(b.ask(prompt("p" + std::to_string(i))));
  REQUIRE(b.replies.reach(1 + 88));
  CHECK(b.busy() == 88);
  REQUIRE(b.create("other", session_number(1)));
  REQUIRE(eventually([&] { return with_status(b, 201) == 2; }));
  b.database.sql(repaired);
  REQUIRE(b.replies.reach(602));
  CHECK(b.busy() == 88);
  CHECK(with_status(b, 202) == 100);
  CHECK(with_status(b, 429) == 412);
  CHECK(b.database.sql("SELECT 1 FROM prompts").size() == 100);
}

TEST_CASE("while everything fails nothing is lost, and then everything is stored once") {
  writer_bench b;
  b.database.sql(failing_commit("53100"));
  for (int i = 0; i < 40; ++i) REQUIRE(b.create("c" + std::to_string(i), session_number(i)));
  REQUIRE(eventually([&] { return b.metric("batch_retries_total") >= 12; }));
  CHECK(b.replies.count() == 0);
  b.database.sql(repaired);
  REQUIRE(b.replies.reach(40));
  CHECK(with_status(b, 201) == 40);
  CHECK(b.database.sql("SELECT 1 FROM events").size() == 40);
}

TEST_CASE("who asks while everything fails and nothing is tried hears in time that it waits") {
  writer_bench b;
  b.database.sql(failing_commit("53100"));
  for (int i = 0; i < 10; ++i) REQUIRE(b.create("c" + std::to_string(i), session_number(i)));
  // By then the pauses are as long as they get.
  REQUIRE(eventually([&] { return b.metric("batch_retries_total") >= 36; }, 30s));
  const auto waiting = b.replies.count();
  int in_time = 0;
  for (std::size_t i = 1; i <= 5; ++i) {
    const auto began = std::chrono::steady_clock::now();
    REQUIRE(b.ask(create_session{{user_id("alice"), "late", "f"}, session_number(50), "name", "", "{}"}, 1s));
    REQUIRE(b.replies.reach(waiting + i));
    in_time += std::chrono::steady_clock::now() - began < 1s ? 1 : 0;
  }
  // A try that fails under way, on a busy machine, makes one of them late; a pause would make all.
  CHECK(in_time >= 2);
  CHECK(b.busy() == 5);
}

TEST_CASE("what arrives while a COMMIT stands still hears in time that it waits, and what is in it does not") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.create("other", session_number(1)));
  REQUIRE(b.replies.reach(2));
  b.database.sql(once_at_commit("PERFORM pg_sleep(3)"));
  REQUIRE(b.ask(prompt("tried"), 1s));
  REQUIRE(eventually([&] { return b.database.sql("SELECT 1 FROM commits WHERE is_called").size() == 1; }));
  auto elsewhere = prompt("waits");
  elsewhere.session = session_number(1);
  const auto began = std::chrono::steady_clock::now();
  REQUIRE(b.ask(elsewhere, 1s));
  CHECK(eventually([&] {
    b.writer->answer_waiting();
    return b.busy() == 1;
  }));
  CHECK(std::chrono::steady_clock::now() - began < 1s);
  CHECK(b.replies.count() == 3);
  // Of what is in the transaction nothing is said before its end.
  REQUIRE(b.replies.reach(4));
  CHECK(with_status(b, 202) == 1);
  CHECK(b.database.sql("SELECT 1 FROM prompts").size() == 1);
}

TEST_CASE("an error of the session and the fault of an input in one batch: each has its own end") {
  writer_bench b;
  const auto kept = session_number(1);
  const auto refused = session_number(2);
  b.database.sql(at_commit(
      "RAISE EXCEPTION 'made to fail' USING ERRCODE = CASE WHEN " + of(kept) + " THEN 'P0001' ELSE '23514' END",
      of(kept) + " OR " + of(refused)));
  REQUIRE(b.create("kept", kept));
  REQUIRE(b.create("refused", refused));
  REQUIRE(b.create("good", session_number(3)));
  REQUIRE(b.replies.reach(2));
  CHECK(with_status(b, 201) == 1);
  CHECK(with_status(b, 500) == 1);
  b.database.sql(repaired);
  REQUIRE(b.replies.reach(3));
  CHECK(with_status(b, 201) == 2);
}

TEST_CASE("stopping does not wait for a session that fails: its senders are told") {
  writer_bench b;
  b.database.sql(failing_commit("P0001"));
  REQUIRE(b.create());
  REQUIRE(eventually([&] { return b.metric("batch_retries_total") >= 2; }));
  b.writer->stop();
  REQUIRE(b.replies.reach(1));
  CHECK(b.busy() == 1);
}

TEST_CASE("a connection cut between the writes and the end of COMMIT: the input has one effect") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.replies.reach(1));
  b.database.sql(once_at_commit("PERFORM pg_terminate_backend(pg_backend_pid())"));
  REQUIRE(b.ask(prompt("p1")));
  REQUIRE(b.replies.reach(2));
  CHECK(with_status(b, 202) == 1);
  CHECK(b.metric("commits_in_doubt_total") == 1);
  CHECK(b.database.sql("SELECT 1 FROM prompts").size() == 1);
  CHECK(b.database.sql("SELECT seq FROM events ORDER BY seq").size() == 2);
  REQUIRE(b.events.reach(2));
}

TEST_CASE("a COMMIT that takes effect after its answer was given up: the input has one effect") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.replies.reach(1));
  // The answer is given up after 5 s. The server would look every 2 s whether its client is still there; not in this
  // one.
  b.database.sql(
      once_at_commit("PERFORM set_config('client_connection_check_interval', '0', true); PERFORM pg_sleep(5.5)"));
  REQUIRE(b.ask(prompt("p1")));
  REQUIRE(b.replies.reach(2));
  CHECK(with_status(b, 202) == 1);
  CHECK(b.metric("commits_in_doubt_total") == 1);
  CHECK(b.database.sql("SELECT last_value FROM commits")[0][0].as<int>() == 1);
  CHECK(b.database.sql("SELECT 1 FROM prompts").size() == 1);
  CHECK(b.database.sql("SELECT 1 FROM events").size() == 2);
}

TEST_CASE("a lock that somebody holds for long delays the other sessions once, and then no more") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.create("other", session_number(1)));
  REQUIRE(b.replies.reach(2));
  const auto holder = b.database.open();
  auto held = std::make_unique<pqxx::work>(holder->sql());
  held->exec0("SET LOCAL idle_in_transaction_session_timeout = 0");
  held->exec0("INSERT INTO answers VALUES ('" + sample_session.text() + "', 'p1', 'f', 200, '', false, 0)");
  REQUIRE(b.ask(prompt("p1")));
  REQUIRE(eventually([&] { return b.metric("batch_retries_total") >= 1; }, 20s));
  for (int i = 0; i < 4; ++i) {
    const auto before = b.metric("batch_retries_total");
    const auto began = std::chrono::steady_clock::now();
    auto elsewhere = prompt("q" + std::to_string(i));
    elsewhere.session = session_number(1);
    REQUIRE(b.ask(elsewhere));
    REQUIRE(b.replies.reach(3 + static_cast<std::size_t>(i)));
    CHECK(std::chrono::steady_clock::now() - began < 4s);
    REQUIRE(eventually([&] { return b.metric("batch_retries_total") > before; }));
  }
  held.reset();
  REQUIRE(b.replies.reach(7));
  CHECK(with_status(b, 202) == 5);
}

TEST_CASE("a session whose state contradicts itself is put aside, and others go on") {
  writer_bench b;
  const auto other = session_number(1);
  REQUIRE(b.create());
  REQUIRE(b.create("other", other));
  REQUIRE(b.replies.reach(2));
  // A command that waits for an answer, about a turn that does not exist, for a live attachment.
  b.database.sql("INSERT INTO attachments VALUES ('att_1', '" + sample_session.text() +
                 "', 1, 'bridge', NULL, 'live', true, NULL, NULL, 1, 0, NULL, 1, NULL, 'h'); "
                 "INSERT INTO commands VALUES ('cmd_1', '" +
                 sample_session.text() +
                 "', 'att_1', 'chat_message', 'int_none', 'int_none', NULL, false, 'sent'); "
                 "UPDATE session_heads SET version = version + 1 WHERE session_id = '" +
                 sample_session.text() + "'");
  REQUIRE(b.ask(prompt("p1")));
  REQUIRE(b.replies.reach(3));
  CHECK(with_status(b, 503) == 1);
  CHECK(b.metric("quarantined_total") == 1);
  auto elsewhere = prompt("p2");
  elsewhere.session = other;
  REQUIRE(b.ask(elsewhere));
  REQUIRE(b.replies.reach(4));
  CHECK(with_status(b, 202) == 1);
  REQUIRE(b.ask(prompt("p3")));
  REQUIRE(b.replies.reach(5));
  CHECK(with_status(b, 503) == 2);
  CHECK(b.database.sql("SELECT 1 FROM prompts WHERE session_id = '" + sample_session.text() + "'").empty());
}

TEST_CASE("a writer removes what has expired") {
  writer_bench b;
  b.database.sql("INSERT INTO answers VALUES ('user:alice', 'old', 'f', 201, '', false, 0)");
  b.writer->shards_taken({shard_of(sample_session).value()});
  CHECK(eventually([&] { return b.database.sql("SELECT 1 FROM answers").empty(); }));
}
