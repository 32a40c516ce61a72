// What a replica has agents told once it is committed: one order after the other for each attachment, repeated until
// answered.

#include <algorithm>

#include "tests/simulation/replica.hpp"

namespace throughline::simulation {

using namespace state_sync;

void replica::note_attachments(const changes& w) {
  for (const auto& a : w.attachments) {
    if (a.state == attachment_state::sealed) lanes_.erase(a.id);
    if (a.state != attachment_state::superseded) continue;
    std::erase_if(lanes_[a.id].orders, [](const order& o) { return std::holds_alternative<write_command>(o.what); });
    lanes_[a.id].asked = false;
    lanes_[a.id].generation = ++lanes_made_;
    send_next(a.id);
  }
  for (const auto& id : w.attachments_gone) {
    auto& l = lanes_[id];
    std::erase_if(l.orders, [](const order& o) { return !std::holds_alternative<close_attachment>(o.what); });
    l.asked = false;
    l.generation = ++lanes_made_;
    send_next(id);
  }
  for (const auto& id : w.commands_gone) {
    for (auto& [a, l] : lanes_) {
      const auto of = [&](const order& o) {
        const auto* write = std::get_if<write_command>(&o.what);
        return write && write->command == id;
      };
      if (l.orders.empty()) continue;
      const bool first = of(l.orders.front());
      std::erase_if(l.orders, of);
      if (!first) continue;
      l.asked = false;
      l.generation = ++lanes_made_;
      send_next(a);
    }
  }
}

void replica::give(order o) {
  const auto id = std::visit([](const auto& x) { return x.attachment; }, o.what);
  auto& l = lanes_[id];
  if (const auto* write = std::get_if<write_command>(&o.what)) {
    for (const auto& other : l.orders) {
      const auto* known = std::get_if<write_command>(&other.what);
      if (known && known->command == write->command) return;
    }
  } else {
    std::erase_if(l.orders, [](const order& x) { return std::holds_alternative<write_command>(x.what); });
    l.asked = false;
    l.generation = ++lanes_made_;
  }
  l.orders.push_back(std::move(o));
  send_next(id);
}

void replica::send_next(const attachment_id& id) {
  const auto found = lanes_.find(id);
  if (found == lanes_.end()) return;
  auto& l = found->second;
  if (l.asked || l.orders.empty()) return;
  l.asked = true;
  l.generation = ++lanes_made_;
  const auto& o = l.orders.front();
  const auto generation = l.generation;
  if (!is_connected())
    return w_.loop.after(micros(1'000'000), alive_, [this, id, generation] { answered(id, generation, std::nullopt); });
  w_.ask_bridge(o.to, o.what, epoch_, alive_, [this, id, generation](auto said) { answered(id, generation, said); });
}

void replica::answered(const attachment_id& id, std::uint64_t generation, std::optional<order_outcome> said) {
  const auto found = lanes_.find(id);
  if (found == lanes_.end() || found->second.generation != generation || found->second.orders.empty()) return;
  auto& l = found->second;
  const auto* write = std::get_if<write_command>(&l.orders.front().what);
  const bool again = !said || (write && *said == order_outcome::unknown);
  if (again) {
    w_.loop.after(micros(1'000'000), alive_, [this, id, generation] {
      const auto still = lanes_.find(id);
      if (still == lanes_.end() || still->second.generation != generation) return;
      still->second.asked = false;
      send_next(id);
    });
    return;
  }
  if (write) {
    const command_outcome outcome{w_.db.root(), write->attachment, write->command, *said == order_outcome::written};
    own_input(asked{outcome, 0, std::nullopt});
  }
  l.orders.pop_front();
  l.asked = false;
  send_next(id);
}

}  // namespace throughline::simulation
