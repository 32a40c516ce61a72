#include "services/state-sync/core/turn.hpp"

#include <algorithm>
#include <array>

#include "services/state-sync/core/session_core.hpp"

namespace throughline::state_sync {
namespace {

struct transition {
  turn_state from;
  turn_state to;
};
constexpr std::array transitions{
    transition{turn_state::waiting, turn_state::complete},
    transition{turn_state::waiting, turn_state::error},
    transition{turn_state::waiting, turn_state::interrupted},
};

}  // namespace

bool may_become(turn_state from, turn_state to) {
  return std::ranges::any_of(transitions, [&](const transition& t) { return t.from == from && t.to == to; });
}

void set_state(turn& t, turn_state to) {
  if (!may_become(t.row.record.state, to)) throw broken_invariant{"illegal change of state of turn " + t.id().text()};
  t.row.record.state = to;
}

bool is_called(const turn& t, const request_id& id) {
  return t.row.taken_over == id || t.id().text() == id.text();
}

bool has_message(const turn& t, const message_id& id) {
  if (t.open()) return t.text.has(id);
  return std::ranges::any_of(t.row.digests, [&](const entry_digest& d) { return d.id == id; }) ||
         std::ranges::any_of(t.row.silent, [&](const silent_entry& s) { return s.value.id == id; });
}

turn_row row_to_write(const turn& t) {
  if (!t.open() && !t.loaded) throw broken_invariant{"finished turn changed unread: " + t.id().text()};
  auto row = t.row;
  row.silent = t.text.silent();
  row.truncated = t.text.truncated();
  if (!t.open()) {
    row.record.entries = t.text.visible();
    row.digests = t.text.digests();
  }
  return row;
}

}  // namespace throughline::state_sync
