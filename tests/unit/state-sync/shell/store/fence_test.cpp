// Design 3.3: who may write, and who finds out that he may not.

#include <doctest/doctest.h>

#include "services/state-sync/shell/store/columns.hpp"
#include "tests/unit/state-sync/shell/store/database_fixture.hpp"
#include "tests/unit/state-sync/shell/store/sample_changes.hpp"

using namespace throughline;
using namespace throughline::state_sync;
using namespace throughline::testing;

namespace {

/// One state-sync's writer on the database.
struct replica {
  explicit replica(const empty_database& on) : database(on), connection(on.open()), through(*connection) {}

  fence begin(const std::vector<session_id>& addressed) {
    now = through.begin(database.epoch());
    return through.lock(addressed);
  }
  void write(const changes& c, const fence& locked) {
    write_set set;
    set.add(c);
    through.write(set, locked, now);
  }
  void create(const session_id& id) {
    const auto locked = begin({id});
    write(new_session(database.epoch(), id), locked);
    (void)through.commit();
  }

  const empty_database& database;
  std::unique_ptr<io::database_connection> connection;
  store through;
  instant now;
};

changes renamed(std::uint64_t seq) {
  changes c;
  c.heads = {head_of(sample_session, seq)};
  c.sessions = {session_of(sample_session)};
  return c;
}

}  // namespace

TEST_CASE("a session that does not exist is nobody's and is its own root") {
  const empty_database database;
  replica one(database);
  const auto found = one.begin({sample_session});
  CHECK(found.trees.empty());
  CHECK(found.locked_elsewhere.empty());
  CHECK(found.root_of.at(sample_session) == sample_session);
}

TEST_CASE("a child leads to its root's tree, all of it locked") {
  const empty_database database;
  replica one(database);
  one.create(sample_session);
  one.create(sample_child);
  const auto found = one.begin({sample_child});
  CHECK(found.root_of.at(sample_child) == sample_session);
  REQUIRE(found.trees.contains(sample_session));
  CHECK(found.trees.at(sample_session).size() == 2);
}

TEST_CASE("a row locked by somebody else is skipped without waiting, others are not") {
  const empty_database database;
  const session_id other{"ses_01h2xcejqtf2nbrexx3vqjhp42"};
  replica one(database), two(database);
  one.create(sample_session);
  {
    auto c = new_session(database.epoch(), other);
    c.sessions[0].root = other;
    c.sessions[0].parent.reset();
    const auto locked = one.begin({other});
    one.write(c, locked);
    (void)one.through.commit();
  }
  (void)one.begin({sample_session});
  const auto found = two.begin({sample_session, other});
  CHECK(found.locked_elsewhere == std::vector<session_id>{sample_session});
  CHECK_FALSE(found.trees.contains(sample_session));
  CHECK(found.trees.contains(other));
  one.through.abandon();
  two.through.abandon();
  CHECK(two.begin({sample_session}).locked_elsewhere.empty());
}

TEST_CASE("every write raises the version, so that the next reader sees that he is stale") {
  const empty_database database;
  replica one(database), two(database);
  one.create(sample_session);
  const auto before = one.begin({sample_session});
  CHECK(before.trees.at(sample_session)[0].version == 1);
  one.write(renamed(1), before);
  (void)one.through.commit();
  CHECK(two.begin({sample_session}).trees.at(sample_session)[0].version == 2);
}

TEST_CASE("a head that is not as it was locked is never overwritten") {
  const empty_database database;
  replica one(database), two(database);
  one.create(sample_session);
  const auto stale = one.begin({sample_session});
  one.through.abandon();  // the lock is lost, as when the backend was thrown out
  two.write(renamed(1), two.begin({sample_session}));
  (void)two.through.commit();
  one.now = one.through.begin(database.epoch());
  CHECK_THROWS_AS(one.write(renamed(1), stale), bad_stored);
}

TEST_CASE("two that create the same session: one of them is refused") {
  const empty_database database;
  replica one(database), two(database);
  const auto nothing = two.begin({sample_session});
  one.create(sample_session);
  try {
    two.write(new_session(database.epoch()), nothing);
    FAIL("the second was accepted");
  } catch (const std::exception& e) {
    CHECK(io::classify(e) == io::failure_kind::input_fault);
  }
}

TEST_CASE("an id has one answer: a second that could not see the first is refused, and finds it then") {
  const empty_database database;
  const session_id other{"ses_01h2xcejqtf2nbrexx3vqjhp42"};
  const auto creation = [&](const session_id& id) {
    auto c = new_session(database.epoch(), id);
    c.sessions[0].root = id;
    c.sessions[0].parent.reset();
    c.answers = {{"user:alice", "create-1", "f", 201, id.text(), false, instant{}}};
    return c;
  };
  const answer_key key{"user:alice", "create-1"};
  replica one(database), two(database);
  one.write(creation(sample_session), one.begin({sample_session}));
  const auto nothing = two.begin({other});
  CHECK(two.through.prior_answers({key}).empty());
  (void)one.through.commit();
  try {
    two.write(creation(other), nothing);
    FAIL("there are two sessions for one id");
  } catch (const std::exception& e) {
    CHECK(io::classify(e) == io::failure_kind::input_fault);
  }
  two.through.abandon();
  CHECK(two.begin({other}).trees.empty());
  CHECK(two.through.prior_answers({key}).at(key).body == sample_session.text());
}

TEST_CASE("a sequence number is given once: the second net") {
  const empty_database database;
  replica one(database);
  one.create(sample_session);
  changes again;
  again.heads = {head_of(sample_session, 1)};
  again.events = {session_event(sample_session, {database.epoch(), 1})};
  const auto locked = one.begin({sample_session});
  CHECK_THROWS_AS(one.write(again, locked), pqxx::unique_violation);
}

TEST_CASE("nothing of an abandoned transaction is there") {
  const empty_database database;
  replica one(database), two(database);
  one.write(new_session(database.epoch()), one.begin({sample_session}));
  one.through.abandon();
  CHECK(two.begin({sample_session}).trees.empty());
}
