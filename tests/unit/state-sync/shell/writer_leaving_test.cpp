// What a writer does for shards that it may lose, or is told to leave (design 3.5).

#include <atomic>

#include <doctest/doctest.h>

#include "tests/unit/state-sync/shell/writer_bench.hpp"

using namespace throughline;
using namespace throughline::testing;
using namespace std::chrono_literals;
using state_sync::standing;

namespace {

const shard_number sample_shard = shard_of(sample_session).value();

std::optional<deferral> put_off(const writer_bench& b, std::size_t which) {
  const auto decoded = codec::decode_reply(b.replies.all().at(which).body);
  const auto* d = std::get_if<deferred>(&decoded->what);
  return d ? std::optional(d->why) : std::nullopt;
}

}  // namespace

TEST_CASE("in doubt about the lock nothing is decided, and what waits is decided when the doubt is over") {
  writer_bench b;
  b.standing = standing::in_doubt;
  REQUIRE(b.create());
  // It is taken in order: when this one has been given up, the first has been looked at.
  REQUIRE(b.ask(prompt("impatient"), 300ms));
  REQUIRE(b.replies.reach(1));
  CHECK(put_off(b, 0) == deferral::busy);
  CHECK(b.database.sql("SELECT 1 FROM session_heads").empty());
  b.standing = standing::owner;
  REQUIRE(b.replies.reach(2));
  CHECK(b.answer_of(1).status == 201);
}

TEST_CASE("a doubt that ends while a batch is looked at lets nothing overtake within a session") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.create("busy", session_id("ses_01h2xcejqtf2nbrexx3vqj0042")));
  REQUIRE(b.replies.reach(2));
  b.database.sql("CREATE SEQUENCE held; " + at_commit("IF nextval('held') = 1 THEN PERFORM pg_sleep(0.5); END IF"));
  // While this commit takes its time, the rest becomes one batch.
  auto elsewhere = prompt("elsewhere");
  elsewhere.session = session_id("ses_01h2xcejqtf2nbrexx3vqj0042");
  REQUIRE(b.ask(elsewhere));
  REQUIRE(eventually([&] { return b.database.sql("SELECT 1 FROM held WHERE is_called").size() == 1; }));
  b.doubts = 1;
  for (const auto* id : {"p1", "p2", "p3"}) REQUIRE(b.ask(prompt(id)));
  REQUIRE(b.replies.reach(6));
  CHECK(b.doubts == 0);
  const auto stored =
      b.database.sql("SELECT prompt_id FROM prompts WHERE session_id = '" + sample_session.text() + "' ORDER BY place");
  REQUIRE(stored.size() == 3);
  CHECK(stored[0][0].as<std::string>() == "p1");
  CHECK(stored[1][0].as<std::string>() == "p2");
  CHECK(stored[2][0].as<std::string>() == "p3");
}

TEST_CASE("what waits when the doubt ends badly is not this owner's") {
  writer_bench b;
  b.standing = standing::in_doubt;
  REQUIRE(b.create());
  REQUIRE(b.ask(prompt("impatient"), 300ms));
  REQUIRE(b.replies.reach(1));
  b.standing = standing::stranger;
  REQUIRE(b.replies.reach(2));
  CHECK(put_off(b, 1) == deferral::not_owner);
  CHECK(b.database.sql("SELECT 1 FROM session_heads").empty());
}

TEST_CASE("a shard is left when what was taken for it has been decided and answered") {
  writer_bench b;
  b.writer->shards_taken({sample_shard});
  REQUIRE(b.create());
  for (int i = 0; i < 50; ++i) REQUIRE(b.ask(prompt("p" + std::to_string(i))));
  std::atomic<std::size_t> stored = 0;
  std::atomic<bool> left = false;
  b.writer->shards_lost({sample_shard}, [&] {
    stored = b.database.sql("SELECT 1 FROM prompts").size();
    left = true;
  });
  REQUIRE(eventually([&] { return left.load(); }));
  CHECK(stored == 50);
  REQUIRE(b.replies.reach(51));
  CHECK(b.answers().size() == 51);
  CHECK(eventually([&] { return b.metric("trees{writer=\"0\"}") == 0; }));
}

TEST_CASE("what cannot be decided when a shard is left is the next owner's") {
  writer_bench b;
  b.writer->shards_taken({sample_shard});
  REQUIRE(b.create());
  REQUIRE(b.replies.reach(1));
  const auto other = b.database.open();
  pqxx::work locks(other->sql());
  locks.exec("SELECT 1 FROM session_heads FOR UPDATE");
  REQUIRE(b.ask(prompt("p1")));
  std::atomic<bool> left = false;
  b.writer->shards_lost({sample_shard}, [&] { left = true; });
  REQUIRE(eventually([&] { return left.load(); }));
  REQUIRE(b.replies.reach(2));
  CHECK(put_off(b, 1) == deferral::not_owner);
  locks.abort();
  CHECK(b.database.sql("SELECT 1 FROM prompts").empty());
}

TEST_CASE("of a commit in doubt nobody says that nothing has happened") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.replies.reach(1));
  b.database.sql(at_commit("PERFORM pg_advisory_lock(7); PERFORM pg_terminate_backend(pg_backend_pid())"));
  const auto other = b.database.open();
  pqxx::nontransaction gate(other->sql());
  gate.exec("SELECT pg_advisory_lock(7)");
  REQUIRE(b.ask(prompt("p1")));
  REQUIRE(eventually([&] { return gate.exec("SELECT 1 FROM pg_locks WHERE NOT granted AND objid = 7").size() == 1; }));
  b.standing = standing::stranger;
  gate.exec("SELECT pg_advisory_unlock(7)");
  REQUIRE(b.replies.reach(2));
  CHECK(put_off(b, 1) == deferral::busy);
  CHECK(b.metric("commits_in_doubt_total") == 1);
}

TEST_CASE("a shard that comes back is loaded anew, and only its last events are published again") {
  writer_bench b;
  const session_id other("ses_01h2xcejqtf2nbrexx3vqj0042");
  const auto other_shard = shard_of(other).value();
  REQUIRE(other_shard != sample_shard);
  b.writer->shards_taken({sample_shard, other_shard});
  REQUIRE(b.create());
  REQUIRE(b.create("other", other));
  REQUIRE(b.replies.reach(2));
  REQUIRE(b.events.reach(1));
  received_messages of_other;
  const auto watched = b.outside.subscribe(codec::event_subject(other), "", [&](io::message m) { of_other.add(m); });
  std::atomic<bool> left = false;
  b.writer->shards_lost({sample_shard}, [&] { left = true; });
  REQUIRE(eventually([&] { return left.load(); }));
  b.writer->shards_taken({sample_shard});
  REQUIRE(b.events.reach(2));
  CHECK(b.events.all()[1].body == b.events.all()[0].body);
  REQUIRE(b.ask(prompt("p1")));
  REQUIRE(b.replies.reach(3));
  CHECK(b.answer_of(2).status == 202);
  CHECK(of_other.count() == 0);
}
