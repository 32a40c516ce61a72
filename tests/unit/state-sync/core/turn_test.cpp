#include "services/state-sync/core/turn.hpp"

#include <doctest/doctest.h>

#include "services/state-sync/core/session_core.hpp"

namespace throughline::state_sync {
namespace {

constexpr turn_state all[] = {turn_state::waiting, turn_state::complete, turn_state::error, turn_state::interrupted};

turn waiting_turn() {
  turn t;
  t.row.record.id = interaction_id{"int_1"};
  return t;
}

}  // namespace

TEST_CASE("only a waiting turn changes state, and only to a terminal one") {
  for (const auto from : all) {
    for (const auto to : all) {
      CHECK(may_become(from, to) == (from == turn_state::waiting && to != turn_state::waiting));
    }
  }
}

TEST_CASE("the setter refuses what the table does not have") {
  auto t = waiting_turn();
  set_state(t, turn_state::interrupted);
  CHECK_THROWS_AS(set_state(t, turn_state::complete), broken_invariant);
  CHECK(t.row.record.state == turn_state::interrupted);
}

TEST_CASE("a turn is called by its own id and by the one it has taken over") {
  auto t = waiting_turn();
  CHECK(is_called(t, request_id{"int_1"}));
  CHECK_FALSE(is_called(t, request_id{}));
  t.row.taken_over = request_id{"int_0"};
  CHECK(is_called(t, request_id{"int_0"}));
  CHECK(is_called(t, request_id{"int_1"}));
}

TEST_CASE("a row is written with entries only when its turn has finished") {
  auto t = waiting_turn();
  t.text.put({.message = message_id{"1"}, .content = {.text = "said"}});
  t.text.put({.message = message_id{"2"}});
  auto row = row_to_write(t);
  CHECK(row.record.entries.empty());
  CHECK(row.silent.size() == 1);
  CHECK(row.silent[0].place == 1);
  set_state(t, turn_state::complete);
  row = row_to_write(t);
  REQUIRE(row.record.entries.size() == 1);
  CHECK(row.record.entries[0].content == "said");
  CHECK(row.digests.size() == 1);
  t.loaded = false;
  CHECK_THROWS_AS(row_to_write(t), broken_invariant);
}

}  // namespace throughline::state_sync
