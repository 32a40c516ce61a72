#include "services/state-sync/shell/held_inputs.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::state_sync;
using namespace std::chrono_literals;

namespace {

const held_inputs::time_point start{std::chrono::hours(1)};

pending_input prompt(const char* session, const std::string& id, std::size_t weight = 1) {
  pending_input p;
  p.to = session_id(session);
  p.what = asked{post_prompt{{user_id("u"), id, "f"}, p.to, "text", false}, 1, std::nullopt};
  p.received = start;
  p.budget = 5s;
  p.weight = weight;
  return p;
}

std::vector<std::string> ids_of(const held_inputs::inputs& of) {
  std::vector<std::string> ids;
  for (const auto& p : of) ids.push_back(std::get<post_prompt>(p.request()->request).by.id);
  return ids;
}
using ids = std::vector<std::string>;

constexpr inbox_bounds any{1000, 1 << 20};

}  // namespace

TEST_CASE("what is put back is taken when it is due, in front of what came since") {
  held_inputs held;
  held.put_back({prompt("a", "1"), prompt("a", "2")}, start + 50ms);
  auto later = prompt("a", "3");
  REQUIRE(held.append(later));
  CHECK(held.take_due(start + 49ms, any).empty());
  CHECK(held.earliest() == start + 50ms);
  auto due = held.take_due(start + 50ms, any);
  CHECK(ids_of(due) == ids{"1", "2", "3"});
  CHECK(held.empty());
  CHECK_FALSE(held.holds(session_id("a")));
}

TEST_CASE("what is to go alone goes at once, before what came since, and its session is like any other then") {
  held_inputs held;
  held.put_back_apart({prompt("a", "1"), prompt("b", "2")}, start);
  auto later = prompt("a", "3");
  REQUIRE(held.append(later));
  CHECK(held.take_due(start, any).empty());
  auto parts = held.take_due_alone(start, 8);
  REQUIRE(parts.size() == 2);
  const auto of_a = ids_of(parts[0]).size() == 2 ? 0u : 1u;
  CHECK(ids_of(parts[of_a]) == ids{"1", "3"});
  CHECK(ids_of(parts[1 - of_a]) == ids{"2"});
  for (const auto* session : {"a", "b"}) held.settled(session_id(session));
  CHECK_FALSE(held.holds(session_id("a")));
}

TEST_CASE("a session that failed alone is tried alone, later each time, and holds up no other") {
  held_inputs held;
  auto now = start;
  held.put_back_alone({prompt("bad", "1")}, now);
  held.put_back({prompt("good", "2")}, now);
  CHECK(ids_of(held.take_due(now + 10s, any)) == ids{"2"});
  for (const auto pause : {50ms, 100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    CHECK(held.take_due_alone(now + pause - 1ms, 8).empty());
    auto parts = held.take_due_alone(now + pause, 8);
    REQUIRE(parts.size() == 1);
    now += pause;
    held.put_back_alone(std::move(parts[0]), now);
  }
  CHECK(held.only_failing());
}

TEST_CASE("a session that failed alone goes on like any other once it has settled") {
  held_inputs held;
  const session_id bad("bad");
  held.put_back_alone({prompt("bad", "1")}, start);
  REQUIRE(held.take_due_alone(start + 50ms, 8).size() == 1);
  CHECK(held.holds(bad));
  CHECK_FALSE(held.waits(bad));
  held.settled(bad);
  CHECK_FALSE(held.holds(bad));
}

TEST_CASE("of those that are due alone the longest due come first, a few at a time") {
  held_inputs held;
  held.put_back_alone({prompt("b", "2")}, start + 10ms);
  held.put_back_alone({prompt("a", "1")}, start);
  held.put_back_alone({prompt("c", "3")}, start + 20ms);
  const auto parts = held.take_due_alone(start + 1s, 2);
  REQUIRE(parts.size() == 2);
  CHECK(ids_of(parts[0]) == ids{"1"});
  CHECK(ids_of(parts[1]) == ids{"2"});
}

TEST_CASE("what may wait behind a session is bounded, by number and by weight") {
  held_inputs held;
  held.put_back_alone({prompt("a", "0")}, start);
  for (std::size_t i = 1; i < held_inputs::session_max.items; ++i) {
    auto p = prompt("a", std::to_string(i));
    REQUIRE(held.append(p));
  }
  auto one_more = prompt("a", "more");
  CHECK_FALSE(held.append(one_more));
  CHECK(ids_of({one_more}) == ids{"more"});
  auto other = prompt("b", "other");
  CHECK(held.append(other));

  held_inputs heavy;
  heavy.put_back_alone({prompt("a", "0", held_inputs::session_max.bytes - 10)}, start);
  auto fits = prompt("a", "1", 10);
  CHECK(heavy.append(fits));
  auto too_heavy = prompt("a", "2", 1);
  CHECK_FALSE(heavy.append(too_heavy));
}

TEST_CASE("whole sessions are taken, within the bound of a batch") {
  held_inputs held;
  held.put_back({prompt("a", "1"), prompt("a", "2"), prompt("a", "3")}, start);
  held.put_back({prompt("b", "4"), prompt("b", "5")}, start);
  const auto first = held.take_due(start, {4, 1 << 20});
  const auto second = held.take_due(start, {4, 1 << 20});
  CHECK(first.size() + second.size() == 5);
  for (const auto* part : {&first, &second}) {
    REQUIRE_FALSE(part->empty());
    for (const auto& p : *part) CHECK(p.to == part->front().to);
  }
}

TEST_CASE("what is not decided in time comes out before its session is due, while its sender still waits") {
  held_inputs held;
  auto patient = prompt("a", "patient");
  patient.budget = 20s;
  held.put_back_alone({prompt("a", "spent"), patient}, start);
  CHECK(held.take_nearly_spent(start + 3749ms).empty());
  CHECK(ids_of(held.take_nearly_spent(start + 3750ms)) == ids{"spent"});
  auto parts = held.take_due_alone(start + 6s, 8);
  REQUIRE(parts.size() == 1);
  CHECK(ids_of(parts[0]) == ids{"patient"});
}

TEST_CASE("that a session failed is remembered for a while, and then forgotten") {
  held_inputs held;
  held.put_back_alone({prompt("a", "1")}, start);
  (void)held.take_due_alone(start + 1s, 8);
  held.forget_quiet(start + held_inputs::remembered - 1s);
  CHECK(held.holds(session_id("a")));
  held.forget_quiet(start + held_inputs::remembered);
  CHECK_FALSE(held.holds(session_id("a")));
}

TEST_CASE("what is put behind may have to wait") {
  held_inputs held;
  held.put_behind({prompt("a", "1")}, start + 1s);
  held.put_behind({prompt("a", "2")});
  CHECK(held.take_due(start, any).empty());
  CHECK(held.earliest() == start + 1s);
  CHECK(ids_of(held.take_due(start + 1s, any)) == ids{"1", "2"});
}

TEST_CASE("sessions that are another's now come out, and are forgotten") {
  held_inputs held;
  held.put_back_alone({prompt("a", "1")}, start);
  held.put_back({prompt("b", "2"), prompt("b", "3")}, start);
  CHECK(ids_of(held.take_of([](const session_id& s) { return s.text() == "b"; })) == ids{"2", "3"});
  CHECK(held.waits(session_id("a")));
  CHECK(ids_of(held.take_of([](const session_id&) { return true; })) == ids{"1"});
  CHECK(held.empty());
  CHECK_FALSE(held.holds(session_id("a")));
}

TEST_CASE("everything comes out at the end") {
  held_inputs held;
  held.put_back_alone({prompt("a", "1")}, start);
  held.put_back({prompt("b", "2")}, start);
  held.put_behind({prompt("b", "3")});
  CHECK(held.take_all().size() == 3);
  CHECK(held.empty());
  CHECK_FALSE(held.earliest());
}
