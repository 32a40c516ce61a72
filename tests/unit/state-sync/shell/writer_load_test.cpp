// What a writer does of its own, beside what is asked of it: loads open trees, a few at a time, and keeps its clocks
// without transactions where nothing is stored (design 3.5, 3.6, 6.2).

#include <atomic>
#include <thread>

#include <doctest/doctest.h>

#include "tests/unit/state-sync/shell/writer_bench.hpp"

using namespace throughline;
using namespace throughline::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t many = 100;
constexpr std::size_t loads_max = state_sync::committer::loads_max;
const std::string memory = "trees{writer=\"0\"}";

session_id session_number(std::size_t n) {
  return session_id("ses_01h2xcejqtf2nbrexx3vqj" + std::to_string(100 + n) + "0");
}

post_prompt prompt_of(std::size_t n, const std::string& id) {
  auto p = prompt(id);
  p.session = session_number(n);
  return p;
}

/// Many sessions with a prompt that waits, of which this owner has none in memory.
struct takeover_bench : writer_bench {
  takeover_bench() {
    for (std::size_t i = 0; i < many; ++i) {
      REQUIRE(create("c" + std::to_string(i), session_number(i)));
      REQUIRE(ask(prompt_of(i, "p")));
    }
    REQUIRE(replies.reach(2 * many));
    writer.reset();
    start();
    REQUIRE(eventually([&] { return metric(memory) == 0; }));
  }
  void take_all_shards() {
    std::vector<shard_number> all;
    for (unsigned shard = 0; shard < shard_count; ++shard) all.push_back(static_cast<shard_number>(shard));
    writer->shards_taken(all);
  }
};

/// Offers more than is taken, for as long as it lives: prompts to one session, for whose answers nobody waits.
class flood {
 public:
  explicit flood(state_sync::writer& into)
      : thread_([this, &into] {
          for (unsigned n = 0; !over_; ++n) {
            state_sync::pending_input input;
            input.to = session_number(0);
            input.received = std::chrono::steady_clock::now();
            input.what = state_sync::asked{prompt_of(0, "f" + std::to_string(n)), 0, std::nullopt};
            if (!into.offer(input)) std::this_thread::yield();
          }
        }) {}
  ~flood() {
    over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

}  // namespace

TEST_CASE("at takeover a few trees are loaded in each transaction") {
  takeover_bench b;
  const auto before = b.metric("batches_total");
  b.take_all_shards();
  REQUIRE(eventually([&] { return b.metric(memory) == many; }));
  CHECK(b.metric("batches_total") >= before + (many + loads_max - 1) / loads_max);
}

TEST_CASE("so it is when all of them are asked for at once, and everybody is answered in order") {
  takeover_bench b;
  b.database.sql("CREATE SEQUENCE held; " + at_commit("IF nextval('held') = 1 THEN PERFORM pg_sleep(0.5); END IF"));
  // While this commit takes its time, the rest becomes one batch.
  REQUIRE(b.create("elsewhere", session_number(many)));
  REQUIRE(eventually([&] { return b.database.sql("SELECT 1 FROM held WHERE is_called").size() == 1; }));
  const auto before = b.metric("batches_total");
  for (std::size_t i = 0; i < many; ++i) REQUIRE(b.ask(prompt_of(i, "second")));
  for (std::size_t i = 0; i < many; ++i) REQUIRE(b.ask(prompt_of(i, "third")));
  REQUIRE(b.replies.reach(4 * many + 1));
  CHECK(b.busy() == 0);
  CHECK(b.metric("batches_total") >= before + (many + loads_max - 1) / loads_max);
  CHECK(b.database
            .sql("SELECT 1 FROM prompts a JOIN prompts b USING (session_id) WHERE a.prompt_id = 'second' "
                 "AND b.prompt_id = 'third' AND a.place < b.place")
            .size() == many);
}

TEST_CASE("however much arrives, open trees are loaded") {
  takeover_bench b;
  const flood all_the_time(*b.writer);
  REQUIRE(eventually([&] { return b.metric("inbox_depth{writer=\"0\"}") > 1000; }));
  b.take_all_shards();
  CHECK(eventually([&] { return b.metric(memory) >= many; }));
  CHECK(b.metric("inbox_depth{writer=\"0\"}") > 1000);
}

TEST_CASE("that nothing could be heard for a while is no transaction") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.ask(mint_agent_token{{user_id("alice"), "t", "f"}, sample_session, "hash", std::nullopt}));
  REQUIRE(b.ask(attach{sample_session, attachment_id("att_1"), bridge_id("brg_1"), "hash", std::nullopt}));
  REQUIRE(b.replies.reach(3));
  REQUIRE(eventually([&] { return b.metric(memory) == 1; }));
  const auto before = b.metric("batches_total");
  b.writer->was_deaf_until_now();
  // Taken after it, and done when what it led to is settled.
  std::atomic<bool> passed = false;
  b.writer->shards_lost({}, [&] { passed = true; });
  REQUIRE(eventually([&] { return passed.load(); }));
  CHECK(b.metric("batches_total") == before);
}

TEST_CASE("while the writer looks through its trees, and that takes its time, what waits is answered") {
  writer_bench b;
  REQUIRE(b.create());
  REQUIRE(b.replies.reach(1));
  b.writer->shards_taken({shard_of(sample_session).value()});
  // Longer than until the next look, which then comes with a prompt waiting, and finds the table locked.
  b.database.sql("CREATE SEQUENCE held; " + at_commit("IF nextval('held') = 1 THEN PERFORM pg_sleep(1.5); END IF"));
  REQUIRE(b.ask(prompt("held")));
  REQUIRE(eventually([&] { return b.database.sql("SELECT 1 FROM held WHERE is_called").size() == 1; }));
  const auto locker = b.database.open();
  pqxx::work lock(locker->sql());
  REQUIRE(b.ask(prompt("waits"), 3000ms));
  lock.exec("LOCK TABLE session_heads IN ACCESS EXCLUSIVE MODE");
  CHECK(eventually(
      [&] {
        b.writer->answer_waiting();
        return b.replies.count() == 3;
      },
      5s));
  lock.abort();
  CHECK(b.answers().size() == 2);
  CHECK(b.busy() == 1);
}
