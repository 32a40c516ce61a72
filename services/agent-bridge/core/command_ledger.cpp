#include "services/agent-bridge/core/command_ledger.hpp"

#include <utility>

namespace throughline::agent_bridge {

command_ledger::entry command_ledger::begin(const command_id& id, ticket asked) {
  const auto [at, is_new] = records_.try_emplace(id);
  auto& known = at->second;
  if (known.outcome) return {verdict::answered, *known.outcome};
  known.waiting.push_back(asked);
  return {is_new ? verdict::write : verdict::wait, {}};
}

std::vector<ticket> command_ledger::finish(const command_id& id, order_outcome outcome) {
  const auto at = records_.find(id);
  if (at == records_.end() || at->second.outcome) return {};
  at->second.outcome = outcome;
  auto told = std::exchange(at->second.waiting, {});
  finished_.push_back(id);
  if (finished_.size() > outcomes_max) {
    records_.erase(finished_.front());
    finished_.pop_front();
  }
  return told;
}

}  // namespace throughline::agent_bridge
