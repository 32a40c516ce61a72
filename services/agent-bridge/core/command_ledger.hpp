#pragma once
// Each command id is written at most once per attachment; a repeat gets the answer of the first (G5, design 6.3). Pure.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "common/base/id.hpp"
#include "common/model/bridge_order.hpp"

namespace throughline::agent_bridge {

/// Names a question that waits for an answer; given by the shell.
using ticket = std::uint64_t;

class command_ledger {
 public:
  static constexpr std::size_t outcomes_max = 1024;

  enum class verdict { write, wait, answered };
  struct entry {
    verdict what = verdict::write;
    order_outcome outcome = order_outcome::written;  ///< when answered
  };

  /// A command came. `write`: it is new and now being written, `asked` is answered by `finish`; `wait`: it is being
  /// written, `asked` is answered then, too; `answered`: that is its answer.
  entry begin(const command_id& id, ticket asked);

  /// The command was written or not; gives those to be told. Empty for an id that is not being written.
  std::vector<ticket> finish(const command_id& id, order_outcome outcome);

 private:
  struct record {
    std::optional<order_outcome> outcome;
    std::vector<ticket> waiting;
  };
  std::map<command_id, record> records_;
  std::deque<command_id> finished_;  ///< oldest first; beyond outcomes_max they are forgotten
};

}  // namespace throughline::agent_bridge
