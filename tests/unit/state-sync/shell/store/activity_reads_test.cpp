// How long a tree has been quiet, on a real PostgreSQL.

#include <chrono>

#include <doctest/doctest.h>

#include "services/state-sync/shell/store/reads.hpp"
#include "tests/unit/state-sync/shell/store/database_fixture.hpp"
#include "tests/unit/state-sync/shell/store/sample_changes.hpp"

using namespace throughline;
using namespace throughline::state_sync;
using namespace throughline::testing;
using std::chrono::minutes;

namespace {

instant ago(minutes m) {
  return std::chrono::time_point_cast<micros>(std::chrono::system_clock::now()) - m;
}

struct quiet_bench {
  empty_database database;
  std::unique_ptr<io::database_connection> writing = database.open();
  std::unique_ptr<io::database_connection> reading_from = database.open();
  store through{*writing};
  read_store reads{*reading_from, 1 << 20};
  std::uint64_t epoch = database.epoch();
  std::uint64_t seq = 0;

  void write(changes c) {
    write_set set;
    set.add(c);
    const auto now = through.begin(database.epoch());
    through.write(set, through.lock({sample_session}), now);
    (void)through.commit();
  }
  void begin() {
    auto c = new_session(epoch);
    c.events[0].created = ago(minutes(60));
    write(std::move(c));
    seq = 1;
  }
  void append(event e, minutes age) {
    e.created = ago(age);
    changes c;
    c.heads = {head_of(sample_session, e.at.seq, true)};
    c.events = {std::move(e)};
    write(std::move(c));
  }
  /// A session_update with this agent status and this name.
  void shows(agent_status status, const std::string& name, minutes age) {
    auto s = std::make_shared<session>();
    s->id = sample_session;
    s->owner = user_id("alice");
    s->head = {epoch, ++seq};
    s->name = name;
    s->agent = {status, "zed", ago(age), ago(age)};
    auto e = session_event(sample_session, s->head);
    e.body = std::shared_ptr<const session>(std::move(s));
    append(std::move(e), age);
  }
  activity_reading now() { return std::get<activity_reading>(reads.answer(read_activity{sample_session}).what); }
  bool is_old(minutes age) {
    const auto found = now().age;
    REQUIRE(found);
    return *found >= age && *found < age + minutes(1);
  }
};

}  // namespace

TEST_CASE("a session nobody knows has no age") {
  quiet_bench b;
  CHECK_FALSE(b.now().found);
  CHECK_FALSE(b.now().age);
}

TEST_CASE("changes of the agent's status are no progress, all other events are") {
  quiet_bench b;
  b.begin();
  CHECK(b.now().found);
  CHECK_FALSE(b.now().attached);
  CHECK(b.is_old(minutes(60)));
  b.shows(agent_status::offline, "one", minutes(50));
  CHECK(b.is_old(minutes(50)));
  b.shows(agent_status::online, "one", minutes(40));
  b.shows(agent_status::ready, "one", minutes(30));
  CHECK(b.is_old(minutes(50)));
  b.append(turn_event(open_turn(), {b.epoch, ++b.seq}), minutes(20));
  CHECK(b.is_old(minutes(20)));
  b.shows(agent_status::offline, "one", minutes(15));
  CHECK(b.is_old(minutes(20)));
  b.shows(agent_status::offline, "an \"owner\"},\"config\": of names", minutes(10));
  CHECK(b.is_old(minutes(10)));
  for (int i = 0; i < 100; ++i) b.shows(i % 2 == 0 ? agent_status::ready : agent_status::offline, "x", minutes(5));
  CHECK(b.is_old(minutes(20)));
}

TEST_CASE("what happens in a child counts for its whole tree, and so does the root's agent") {
  quiet_bench b;
  b.begin();
  changes c;
  auto root = session_of(sample_session);
  root.status = agent_status::online;
  c.sessions = {root, session_of(sample_child)};
  c.heads = {head_of(sample_session, 1), head_of(sample_child, 1)};
  c.events = {session_event(sample_child, {b.epoch, 1})};
  c.events[0].created = ago(minutes(3));
  b.write(c);
  CHECK(b.is_old(minutes(3)));
  CHECK(b.now().attached);
  CHECK(std::get<activity_reading>(b.reads.answer(read_activity{sample_child}).what).attached);
}
