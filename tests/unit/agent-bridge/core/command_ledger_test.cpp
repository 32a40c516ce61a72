#include "services/agent-bridge/core/command_ledger.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using agent_bridge::command_ledger;
using verdict = command_ledger::verdict;

TEST_CASE("a command id is written once; all who asked get the one answer") {
  command_ledger ledger;
  const command_id id("cmd_1");
  CHECK(ledger.begin(id, 1).what == verdict::write);
  CHECK(ledger.begin(id, 2).what == verdict::wait);
  CHECK(ledger.finish(id, order_outcome::written) == std::vector<agent_bridge::ticket>{1, 2});
  const auto again = ledger.begin(id, 3);
  CHECK(again.what == verdict::answered);
  CHECK(again.outcome == order_outcome::written);
  CHECK(ledger.finish(id, order_outcome::not_written).empty());
  CHECK(ledger.begin(id, 4).outcome == order_outcome::written);
}

TEST_CASE("the oldest answers are forgotten, never what is being written") {
  command_ledger ledger;
  CHECK(ledger.begin(command_id("open"), 1).what == verdict::write);
  for (std::size_t i = 0; i <= command_ledger::outcomes_max; ++i) {
    const command_id id("cmd_" + std::to_string(i));
    ledger.begin(id, i);
    ledger.finish(id, order_outcome::not_written);
  }
  CHECK(ledger.begin(command_id("open"), 2).what == verdict::wait);
  CHECK(ledger.begin(command_id("cmd_1"), 3).what == verdict::answered);
  CHECK(ledger.begin(command_id("cmd_0"), 4).what == verdict::write);
}
