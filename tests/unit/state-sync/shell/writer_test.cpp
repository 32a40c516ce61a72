// Group commit on real servers: persist, then publish, then acknowledge (G1), and what errors do (design 3.6).

#include <doctest/doctest.h>

#include "common/codec/render.hpp"
#include "tests/unit/state-sync/shell/writer_bench.hpp"

using namespace throughline;
using namespace throughline::testing;

TEST_CASE("a request is committed, published and answered") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.replies.reach(1));
  CHECK(b.answer_of(0).status == 201);
  REQUIRE(b.events.reach(1));
  CHECK(b.events.all()[0].header("Tl-Seq") == "1");
  CHECK(b.database.sql("SELECT body FROM events")[0][0].as<std::string>() == b.events.all()[0].body);
}

TEST_CASE("when the commit fails nobody is told, and when it succeeds everybody is, once") {
  writer_bench b;
  b.database.sql(failing_commit("53100"));  // disk full: not the input's fault
  REQUIRE(b.create());
  REQUIRE(eventually(
      [&] { return b.registry.render().find("throughline_state_sync_batch_retries_total 3") != std::string::npos; }));
  CHECK(b.events.count() == 0);
  CHECK(b.replies.count() == 0);
  CHECK(b.database.sql("SELECT 1 FROM session_heads").empty());
  b.database.sql(repaired);
  REQUIRE(b.replies.reach(1));
  CHECK(b.answer_of(0).status == 201);
  REQUIRE(b.events.reach(1));
  CHECK(b.events.count() == 1);
  CHECK(b.database.sql("SELECT 1 FROM events").size() == 1);
}

TEST_CASE("an input at fault is refused alone; the others of its batch are not harmed") {
  writer_bench b;
  const session_id bad{"ses_01h2xcejqtf2nbrexx3vqjhp42"};
  b.database.sql(failing_commit("23514", "NEW.session_id = '" + bad.text() + "'"));
  REQUIRE(b.create("create-bad", bad));
  REQUIRE(b.create("create-good"));
  REQUIRE(b.replies.reach(2));
  int created = 0;
  int refused = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto a = b.answer_of(i);
    created += a.status == 201 ? 1 : 0;
    refused += a.body.find("not_storable") != std::string::npos ? 1 : 0;
  }
  CHECK(created == 1);
  CHECK(refused == 1);
  CHECK(b.database.sql("SELECT session_id FROM session_heads").size() == 1);
}

TEST_CASE("the same id twice has one effect and one answer") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.ask(prompt("p1")));
  REQUIRE(b.ask(prompt("p1")));
  REQUIRE(b.ask(prompt("p1", "other content")));
  REQUIRE(b.replies.reach(4));
  CHECK(b.answer_of(1).status == 202);
  CHECK(b.answer_of(2).body == b.answer_of(1).body);
  CHECK(b.answer_of(3).status == 409);
  CHECK(b.database.sql("SELECT 1 FROM prompts").size() == 1);
}

TEST_CASE("memory that another writer made stale is loaded again, and the input decided on what is true") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.replies.reach(1));
  b.database.sql("UPDATE sessions SET deleted = true; UPDATE session_heads SET version = version + 1, seq = seq");
  REQUIRE(b.ask(prompt("p1")));
  REQUIRE(b.replies.reach(2));
  CHECK(b.answer_of(1).status == 404);
  CHECK(b.registry.render().find("throughline_state_sync_trees_stale_total 1") != std::string::npos);
}

TEST_CASE("a session whose row is locked is tried again, and others do not wait for it") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.replies.reach(1));
  const auto other = b.database.open();
  pqxx::work lock(other->sql());
  lock.exec("SELECT 1 FROM session_heads FOR UPDATE");
  REQUIRE(b.ask(prompt("p1")));
  // Another shard, so that it does not stand behind what is held.
  REQUIRE(b.create("create-2", session_id("ses_01h2xcejqtf2nbrexx3vqjhp44")));
  REQUIRE(b.replies.reach(2));
  CHECK(b.answer_of(1).status == 201);
  CHECK(b.replies.count() == 2);
  lock.abort();
  REQUIRE(b.replies.reach(3));
  CHECK(b.answer_of(2).status == 202);
}

TEST_CASE("a lost connection is replaced, and what was in flight decided again") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.replies.reach(1));
  b.database.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
      "AND pid <> pg_backend_pid()");
  REQUIRE(b.ask(prompt("p1")));
  REQUIRE(b.replies.reach(2));
  CHECK(b.answer_of(1).status == 202);
  CHECK(b.database.sql("SELECT 1 FROM prompts").size() == 1);
}

TEST_CASE("a raised epoch is noticed by the next transaction, and positions carry it") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.replies.reach(1));
  const auto raised = state_sync::raise_epoch(*b.database.open());
  REQUIRE(b.ask(prompt("p1")));
  REQUIRE(b.replies.reach(2));
  CHECK(codec::decode_reply(b.replies.all()[1].body)->epoch == raised);
  CHECK(b.answer_of(1).body.find("\"" + std::to_string(raised) + ":") != std::string::npos);
}

TEST_CASE("an input whose sender has stopped waiting is dropped, not decided") {
  writer_bench b;
  b.database.sql(failing_commit("53100"));
  REQUIRE(b.ask(create_session{{user_id("alice"), "c", "f"}, sample_session, "name", "", "{}"},
                std::chrono::milliseconds(200)));
  REQUIRE(b.replies.reach(1));
  const auto decoded = codec::decode_reply(b.replies.all()[0].body);
  CHECK(std::holds_alternative<deferred>(decoded->what));
  b.database.sql(repaired);
  REQUIRE(b.create("later"));
  REQUIRE(b.replies.reach(2));
  CHECK(b.answer_of(1).status == 201);
}

TEST_CASE("who does not own the shard says so and decides nothing") {
  writer_bench b;
  b.standing = state_sync::standing::stranger;
  REQUIRE(b.create());
  REQUIRE(b.replies.reach(1));
  const auto decoded = codec::decode_reply(b.replies.all()[0].body);
  const auto* put_off = std::get_if<deferred>(&decoded->what);
  REQUIRE(put_off != nullptr);
  CHECK(put_off->why == deferral::not_owner);
  CHECK(b.database.sql("SELECT 1 FROM session_heads").empty());
}

TEST_CASE("stopping finishes what was taken") {
  writer_bench b;
  for (int i = 0; i < 50; ++i) REQUIRE(b.ask(prompt("p" + std::to_string(i))));
  REQUIRE(b.create());
  b.writer->stop();
  CHECK(b.replies.reach(51));
}

TEST_CASE("a new owner publishes the last events again") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.events.reach(1));
  b.writer.reset();
  b.start();
  b.writer->shards_taken({shard_of(sample_session).value()});
  REQUIRE(b.events.reach(2));
  CHECK(b.events.all()[1].body == b.events.all()[0].body);
  CHECK(b.events.all()[1].header("Tl-Seq") == "1");
}
