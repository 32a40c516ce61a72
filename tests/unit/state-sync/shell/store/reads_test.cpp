// Reads on a real PostgreSQL, of rows written by hand.

#include "services/state-sync/shell/store/reads.hpp"

#include <doctest/doctest.h>

#include "common/delta/patch.hpp"
#include "services/state-sync/shell/store/columns.hpp"
#include "tests/unit/state-sync/shell/store/database_fixture.hpp"
#include "tests/unit/state-sync/shell/store/sample_changes.hpp"

using namespace throughline;
using namespace throughline::state_sync;
using namespace throughline::testing;

namespace {

struct read_bench {
  empty_database database;
  std::unique_ptr<io::database_connection> writing = database.open();
  std::unique_ptr<io::database_connection> reading_from = database.open();
  store through{*writing};
  read_store reads{*reading_from, 1 << 20};
  std::uint64_t epoch = database.epoch();

  void write(const changes& c, const session_id& root = sample_session) {
    write_set set;
    set.add(c);
    const auto now = through.begin(database.epoch());
    through.write(set, through.lock({root}), now);
    (void)through.commit();
  }
  template <class Reading, class Request>
  Reading get(Request what) {
    return std::get<Reading>(reads.answer(what).what);
  }
  session_reading session(read_request what) { return std::get<session_reading>(reads.answer(what).what); }

  /// One finished turn with this text, then nothing open. Head rises by two.
  void turn(std::uint64_t ordinal, std::uint64_t seq, const std::string& text, bool finish = true) {
    auto t = open_turn();
    t.record.id = interaction_id("int_" + std::to_string(ordinal));
    t.record.ordinal = ordinal;
    changes c;
    c.heads = {head_of(sample_session, seq, true)};
    c.turns = {t};
    c.events = {turn_event(t, {epoch, seq})};
    write(c);
    if (!finish) return;
    t.record.state = turn_state::complete;
    t.record.entries = {text_entry("m", text)};
    c.turns = {t};
    c.events = {turn_event(t, {epoch, seq + 1})};
    c.heads = {head_of(sample_session, seq + 1)};
    write(c);
  }
};

std::size_t occurrences(const std::string& in, const std::string& what) {
  std::size_t n = 0;
  for (auto at = in.find(what); at != std::string::npos; at = in.find(what, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("a session that does not exist and one that was deleted give the same answer") {
  read_bench b;
  CHECK_FALSE(b.session(read_session{sample_session, false}).found);
  auto c = new_session(b.epoch);
  c.sessions[0].deleted = true;
  b.write(c);
  for (const read_request& what : std::vector<read_request>{
           read_session{sample_session, true}, read_snapshot{sample_session}, read_events{sample_session},
           read_interactions{sample_session}, read_interaction{sample_session, sample_turn}}) {
    const auto r = b.session(what);
    CHECK_FALSE(r.found);
    CHECK(r.body.empty());
    CHECK(r.access.owner.empty());
  }
  CHECK_FALSE(b.get<std::vector<head_reading>>(read_heads{{sample_session}})[0].found);
}

TEST_CASE("a snapshot holds the open turn's text so far, and a baseline for v1") {
  read_bench b;
  b.write(new_session(b.epoch));
  auto t = open_turn();
  changes c;
  c.heads = {head_of(sample_session, 3, true)};
  c.turns = {t};
  c.events = {turn_event(t, {b.epoch, 2}), patch_event({b.epoch, 3}, delta::diff({}, {text_entry("m1", "so far 😀")}))};
  b.write(c);
  const auto r = b.session(read_snapshot{sample_session});
  CHECK(r.found);
  CHECK(r.head == position{b.epoch, 3});
  CHECK(r.access.owner == user_id("alice"));
  CHECK(r.body.find("so far 😀") != std::string::npos);
  CHECK(r.body.find("\"interactions_total\"") != std::string::npos);
  CHECK(r.baseline.find("interaction_patch") != std::string::npos);
  CHECK(r.baseline.find("\"seq\":3") != std::string::npos);
}

TEST_CASE("no baseline before there is text") {
  read_bench b;
  b.write(new_session(b.epoch));
  b.turn(1, 2, "", false);
  CHECK(b.session(read_snapshot{sample_session}).baseline.empty());
}

TEST_CASE("interactions that fit the budget are shown oldest first") {
  read_bench b;
  b.write(new_session(b.epoch));
  for (std::uint64_t n = 1; n <= 3; ++n) b.turn(n, 2 * n, std::string(2000, 'x'));
  const auto body = b.session(read_snapshot{sample_session}).body;
  CHECK(occurrences(body, "\"id\":\"int_") == 3);
  CHECK(body.find("int_1") < body.find("int_3"));
}

TEST_CASE("a budget too small for two leaves the newest") {
  read_bench b;
  b.write(new_session(b.epoch));
  for (std::uint64_t n = 1; n <= 3; ++n) b.turn(n, 2 * n, std::string(2000, 'x'));
  const auto other = b.database.open();
  read_store narrow(*other, 100);
  const auto body = std::get<session_reading>(narrow.answer(read_snapshot{sample_session}).what).body;
  CHECK(occurrences(body, "\"id\":\"int_") == 1);
  CHECK(body.find("\"id\":\"int_3\"") != std::string::npos);
}

TEST_CASE("events follow a position without a gap, and bounds end a range early") {
  read_bench b;
  b.write(new_session(b.epoch));
  b.turn(1, 2, "text");
  const auto all = b.session(read_events{sample_session});
  CHECK(occurrences(all.body, "\n") == 3);
  CHECK(all.complete);
  const auto some = b.session(read_events{sample_session, position{b.epoch, 1}, 1});
  CHECK(occurrences(some.body, "\n") == 1);
  CHECK_FALSE(some.complete);
  CHECK(some.body.find("\"seq\":2") != std::string::npos);
  const auto small = b.session(read_events{sample_session, position{b.epoch, 0}, 1000, 1});
  CHECK(occurrences(small.body, "\n") == 1);  // one at least
  const auto none = b.session(read_events{sample_session, position{b.epoch, 3}});
  CHECK(none.body.empty());
  CHECK(none.complete);
}

TEST_CASE("a position can be resumed iff it is current and not ahead, or its event is stored") {
  read_bench b;
  b.write(new_session(b.epoch));
  b.turn(1, 2, "text");
  const auto known = [&](position p) { return b.session(read_events{sample_session, p}).known_position; };
  CHECK(known({b.epoch, 3}));
  CHECK_FALSE(known({b.epoch, 4}));
  CHECK_FALSE(known({b.epoch + 1, 1}));
  CHECK_FALSE(known({b.epoch + 1, 0}));
  raise_epoch(*b.database.open());
  CHECK(known({b.epoch, 3}));  // of the epoch before, but stored
  CHECK_FALSE(known({b.epoch, 0}));
  CHECK(known({b.epoch + 1, 3}));  // the current position before its first event in that epoch
  CHECK(b.session(read_snapshot{sample_session}).head == position{b.epoch + 1, 3});
}

TEST_CASE("a hole in the log is never returned") {
  read_bench b;
  b.write(new_session(b.epoch));
  b.turn(1, 2, "text");
  b.database.sql("DELETE FROM events WHERE seq = 2");
  CHECK_THROWS_AS(b.session(read_events{sample_session}), bad_stored);
}

TEST_CASE("pages of interactions, both ways") {
  read_bench b;
  b.write(new_session(b.epoch));
  for (std::uint64_t n = 1; n <= 3; ++n) b.turn(n, 2 * n, "text");
  const auto first = b.session(read_interactions{sample_session, 0, 2, false}).body;
  CHECK(first.find("int_1") < first.find("int_2"));
  CHECK(first.find("int_3") == std::string::npos);
  CHECK(first.find("\"totalCount\":3") != std::string::npos);
  const auto newest = b.session(read_interactions{sample_session, 0, 2, true}).body;
  CHECK(newest.find("int_3") < newest.find("int_2"));
  CHECK(newest.find("int_1") == std::string::npos);
  const auto beyond = b.session(read_interactions{sample_session, 9, 2, false});
  CHECK(beyond.found);
  CHECK(beyond.body.find("\"interactions\":[]") != std::string::npos);
}

TEST_CASE("a page that weighs too much is not read, a single interaction always is") {
  read_bench b;
  b.write(new_session(b.epoch));
  for (std::uint64_t n = 1; n <= 3; ++n) b.turn(n, 2 * n, "text");
  b.database.sql("UPDATE interactions SET body = '\"' || repeat('x', 40000000) || '\"' WHERE ordinal <= 2");
  const auto both = b.session(read_interactions{sample_session, 0, 2, false});
  CHECK(both.found);
  CHECK_FALSE(both.complete);
  CHECK(both.body.empty());
  CHECK(b.session(read_interactions{sample_session, 0, 2, true}).complete);
  const auto one = b.session(read_interactions{sample_session, 1, 1, false});
  CHECK(one.complete);
  CHECK(one.body.size() > 40'000'000);
}

TEST_CASE("one interaction, or none") {
  read_bench b;
  b.write(new_session(b.epoch));
  b.turn(1, 2, "text");
  CHECK(b.session(read_interaction{sample_session, interaction_id("int_1")}).body.find("\"text\"") !=
        std::string::npos);
  const auto missing = b.session(read_interaction{sample_session, interaction_id("int_9")});
  CHECK(missing.found);
  CHECK_FALSE(missing.inner_found);
}

TEST_CASE("lists hold what is own or granted, newest activity first") {
  read_bench b;
  const session_id other{"ses_01h2xcejqtf2nbrexx3vqjhp42"};
  b.write(new_session(b.epoch));
  auto c = new_session(b.epoch, other);
  c.sessions[0].root = other;
  c.sessions[0].parent.reset();
  c.sessions[0].owner = user_id("bob");
  c.sessions[0].updated = at_us(1000);
  c.sessions[0].status = agent_status::online;
  c.grants = {{other, {user_id("alice"), role::viewer}}};
  b.write(c, other);
  const auto mine = b.get<list_reading>(list_sessions{user_id("alice"), 0, 50}).body;
  CHECK(mine.find("\"totalCount\":2") != std::string::npos);
  CHECK(mine.find(other.text()) < mine.find(sample_session.text()));
  CHECK(b.get<list_reading>(list_sessions{user_id("bob"), 0, 50}).body.find("\"totalCount\":1") != std::string::npos);
  CHECK(b.get<list_reading>(list_sessions{user_id("eve"), 0, 50}).body.find("\"totalCount\":0") != std::string::npos);
  const auto agents = b.get<list_reading>(list_agents{user_id("alice")}).body;
  CHECK(agents.find(other.text()) != std::string::npos);
  CHECK(agents.find(sample_session.text()) == std::string::npos);
}

TEST_CASE("what waits in the queues of a page counts, and an agent's line has no queue") {
  read_bench b;
  const session_id other{"ses_01h2xcejqtf2nbrexx3vqjhp42"};
  b.write(new_session(b.epoch));
  auto c = new_session(b.epoch, other);
  c.sessions[0].root = other;
  c.sessions[0].parent.reset();
  c.sessions[0].status = agent_status::ready;
  b.write(c, other);
  CHECK(b.get<list_reading>(list_sessions{user_id("alice"), 0, 50}).complete);
  b.database.sql("INSERT INTO prompts SELECT '" + other.text() +
                 "', 'int_' || i, 'p' || i, repeat('x', 1000000), false, 0, i FROM generate_series(1, 70) i");
  const auto page = b.get<list_reading>(list_sessions{user_id("alice"), 0, 50});
  CHECK_FALSE(page.complete);
  CHECK(page.body.empty());
  CHECK(b.get<list_reading>(list_sessions{user_id("alice"), 0, 1}).complete);
  CHECK(b.get<list_reading>(list_agents{user_id("alice")}).body.size() < 500);
}

TEST_CASE("head checks answer in the order asked, with the root's access list") {
  read_bench b;
  b.write(new_session(b.epoch));
  changes c = new_session(b.epoch, sample_child);
  c.heads.push_back(head_of(sample_session, 1));
  c.heads.back().acl_version = 6;
  c.grants = {{sample_session, {user_id("bob"), role::editor}}};
  b.write(c);
  const session_id none{"ses_01h2xcejqtf2nbrexx3vqjhp49"};
  const auto heads = b.get<std::vector<head_reading>>(read_heads{{none, sample_child, sample_session}});
  REQUIRE(heads.size() == 3);
  CHECK_FALSE(heads[0].found);
  CHECK(heads[0].session == none);
  CHECK(heads[1].session == sample_child);
  CHECK(heads[1].head == position{b.epoch, 1});
  CHECK(heads[1].access.version == 6);
  REQUIRE(heads[1].access.grants.size() == 1);
  CHECK(heads[1].access.grants[0].what == role::editor);
}

TEST_CASE("a token is found until it expires or its session goes") {
  read_bench b;
  auto c = new_session(b.epoch);
  c.tokens = {{"open", sample_session, at_us(0), std::nullopt},
              {"expired", sample_session, at_us(0), instant(micros(1))}};
  b.write(c);
  const auto open = b.get<owner_reading>(find_agent_token{"open"});
  CHECK(open.found);
  CHECK(open.owner == sample_session.text());
  CHECK_FALSE(b.get<owner_reading>(find_agent_token{"expired"}).found);
  CHECK_FALSE(b.get<owner_reading>(find_agent_token{"none"}).found);
  b.database.sql("UPDATE sessions SET deleted = true");
  CHECK_FALSE(b.get<owner_reading>(find_agent_token{"open"}).found);
  b.database.sql("INSERT INTO api_keys VALUES ('k', 'key_1', 'alice', '', 0)");
  CHECK(b.get<owner_reading>(find_key{"k"}).owner == "alice");
  CHECK_FALSE(b.get<owner_reading>(find_key{"none"}).found);
}
