// Renewals of attachments (design 6.2): decided session by session, in a transaction only where something is stored.

#include <functional>

#include <doctest/doctest.h>

#include "services/state-sync/core/attachments.hpp"
#include "tests/unit/state-sync/shell/writer_bench.hpp"

using namespace throughline;
using namespace throughline::testing;
using namespace std::chrono_literals;

namespace {

const session_id other{"ses_01h2xcejqtf2nbrexx3vqj1000"};
const attachment_id socket{"att_1"};
const bridge_id bridge{"brg_1"};

/// A session with an attachment, and another session without.
struct renewals_bench : writer_bench {
  renewals_bench() {
    REQUIRE(create());
    REQUIRE(create("other", other));
    REQUIRE(ask(mint_agent_token{{user_id("alice"), "t", "f"}, sample_session, "hash", std::nullopt}));
    REQUIRE(ask(attach{sample_session, socket, bridge, "hash", std::nullopt}));
    REQUIRE(replies.reach(4));
  }
  /// Asks for one and gives the reply.
  codec::reply_message renew_one(const session_id& session, const attachment_id& attachment) {
    const auto before = replies.count();
    REQUIRE(ask(renewal{session, attachment}));
    REQUIRE(replies.reach(before + 1));
    return *codec::decode_reply(replies.all().at(before).body);
  }
  noted noted_of(const session_id& session, const attachment_id& attachment) {
    const auto said = renew_one(session, attachment);
    REQUIRE(std::holds_alternative<noted>(said.what));
    return std::get<noted>(said.what);
  }
  /// Gives the writer one input for each attachment, as the door does with a message.
  void renew_all(const renew& all, std::chrono::steady_clock::time_point until) {
    io::message from;
    from.reply = "answers";
    const auto tokens = desk.wait_each(from, all, until);
    REQUIRE(tokens.size() == all.attachments.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      state_sync::pending_input input;
      input.to = all.attachments[i].session;
      input.received = std::chrono::steady_clock::now();
      input.budget = 20s;
      input.what = state_sync::asked{all.attachments[i], tokens[i], std::nullopt};
      REQUIRE(writer->offer(input));
    }
  }
  renewed renewed_of(std::size_t which) {
    const auto decoded = codec::decode_reply(replies.all().at(which).body);
    REQUIRE(std::holds_alternative<renewed>(decoded->what));
    return std::get<renewed>(decoded->what);
  }
  std::string stored(const std::string& column) {
    return database.sql("SELECT " + column + " FROM attachments WHERE id = 'att_1'")[0][0].as<std::string>();
  }
};

}  // namespace

TEST_CASE("a renewal that changes nothing is answered without a transaction") {
  renewals_bench b;
  const auto before = b.metric("batches_total");
  for (int i = 0; i < 20; ++i) {
    const auto said = b.noted_of(sample_session, socket);
    CHECK(said.known);
    CHECK_FALSE(said.superseded);
  }
  CHECK(b.metric("batches_total") == before);
  CHECK(b.metric("renewals_unwritten_total") == 20);
}

TEST_CASE("what is unknown or superseded is decided under the fence") {
  renewals_bench b;
  const auto before = b.metric("batches_total");
  CHECK_FALSE(b.noted_of(sample_session, attachment_id("att_9")).known);
  CHECK_FALSE(b.noted_of(other, socket).known);
  CHECK(b.metric("batches_total") == before + 2);
  REQUIRE(b.ask(attach{sample_session, attachment_id("att_2"), bridge, "hash", std::nullopt}));
  REQUIRE(b.replies.reach(7));
  CHECK(b.noted_of(sample_session, socket).superseded);
  CHECK_FALSE(b.noted_of(sample_session, attachment_id("att_2")).superseded);
  CHECK(b.metric("renewals_unwritten_total") == 1);
}

TEST_CASE("a renewal of a detached attachment revives it, and that is committed first") {
  renewals_bench b;
  b.writer.reset();
  const auto live = b.stored("state");
  b.database.sql("UPDATE attachments SET state = 'detached' WHERE id = 'att_1'");
  b.start();
  CHECK(b.noted_of(sample_session, socket).known);
  CHECK(b.stored("state") == live);
  CHECK(b.metric("renewals_unwritten_total") == 0);
  CHECK(b.noted_of(sample_session, socket).known);
  CHECK(b.metric("renewals_unwritten_total") == 1);
}

TEST_CASE("memory is not trusted for long: with nothing but renewals a new epoch is still noticed") {
  renewals_bench b;
  CHECK(b.renew_one(sample_session, socket).epoch == b.writer->epoch());
  const auto raised = state_sync::raise_epoch(*b.database.open());
  const auto began = std::chrono::steady_clock::now();
  CHECK(eventually([&] { return b.renew_one(sample_session, socket).epoch == raised; }));
  CHECK(std::chrono::steady_clock::now() - began < 7s);
}

TEST_CASE("what an owner of before commits late is found, although nothing but renewals come") {
  renewals_bench b;
  b.writer->shards_taken({shard_of(sample_session).value()});
  CHECK_FALSE(b.noted_of(sample_session, attachment_id("att_9")).known);  // in memory, and looked through once
  const auto renewed_until = [&](const std::function<bool()>& found) {
    return eventually([&] {
      CHECK(b.noted_of(sample_session, socket).known);
      return found();
    });
  };
  const auto stale = [&] { return b.metric("trees_stale_total"); };
  const auto before = stale();
  b.database.sql("UPDATE session_heads SET version = version + 1 WHERE session_id = '" + sample_session.text() + "'");
  CHECK(renewed_until([&] { return stale() == before + 1; }));
  b.database.sql(
      "UPDATE attachments SET state = 'detached'; "
      "UPDATE session_heads SET open = false, version = version + 1 WHERE session_id = '" +
      sample_session.text() + "'");
  CHECK(renewed_until([&] { return b.stored("state") == "live"; }));
}

TEST_CASE("the renewals of several sessions are one answer; one that cannot be decided keeps back no other") {
  renewals_bench b;
  const renew all{
      {{sample_session, socket}, {other, attachment_id("att_8")}, {sample_session, attachment_id("att_9")}}};
  b.renew_all(all, std::chrono::steady_clock::now() + 20s);
  REQUIRE(b.replies.reach(5));
  const auto whole = b.renewed_of(4);
  REQUIRE(whole.except.size() == 2);
  CHECK(whole.except[0].attachment == attachment_id("att_8"));
  for (const auto& one : whole.except) CHECK(one.why == renewal_fault::unknown);

  const auto locker = b.database.open();
  pqxx::work lock(locker->sql());
  lock.exec("SELECT 1 FROM session_heads WHERE session_id = '" + other.text() + "' FOR UPDATE");
  const auto until = std::chrono::steady_clock::now() + 400ms;
  b.renew_all(all, until);
  CHECK(eventually([&] {
    b.desk.answer_overdue(std::chrono::steady_clock::now());
    return b.replies.count() == 6;
  }));
  CHECK(std::chrono::steady_clock::now() >= until);
  const auto partly = b.renewed_of(5);
  REQUIRE(partly.except.size() == 2);
  CHECK(partly.except[0].attachment == attachment_id("att_8"));
  CHECK(partly.except[0].why == renewal_fault::deferred);
  CHECK(partly.except[1].why == renewal_fault::unknown);
  lock.abort();
}

TEST_CASE("while no writer gets a connection no bridge falls silent") {
  renewals_bench b;
  const io::database server({private_postgres().url(), "test"});
  const auto admin = server.open(io::connection_role::work);
  REQUIRE(admin);
  const auto run = [&](const std::string& sql) { pqxx::nontransaction((*admin)->sql()).exec(sql); };
  CHECK(b.noted_of(sample_session, socket).known);
  const auto events = b.database.sql("SELECT count(*) FROM events")[0][0].as<int>();
  run("ALTER DATABASE " + b.database.name() + " ALLOW_CONNECTIONS false");
  run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + b.database.name() + "'");
  // Answered from memory at first, later put off.
  const auto say = [&](const session_id& session, const attachment_id& attachment) {
    const auto before = b.replies.count();
    REQUIRE(b.ask(renewal{session, attachment}, 1000ms));
    return eventually([&] {
      b.writer->answer_waiting();
      return b.replies.count() > before;
    });
  };
  const auto until = std::chrono::steady_clock::now() + state_sync::bridge_silence_max + 6s;
  while (std::chrono::steady_clock::now() < until) REQUIRE(say(sample_session, socket));
  run("ALTER DATABASE " + b.database.name() + " ALLOW_CONNECTIONS true");
  // The bridge's next renewal is still to come.
  const auto batches = b.metric("batches_total");
  REQUIRE(eventually([&] { return say(other, attachment_id("att_9")) && b.metric("batches_total") > batches; }));
  CHECK(b.noted_of(sample_session, socket).known);
  CHECK(b.database.sql("SELECT count(*) FROM events")[0][0].as<int>() == events);
  CHECK(b.stored("state") == "live");
}
