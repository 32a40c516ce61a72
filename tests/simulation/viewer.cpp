#include "tests/simulation/viewer.hpp"

#include "tests/simulation/gateway.hpp"
#include "tests/simulation/violation.hpp"

namespace throughline::simulation {

viewer::viewer(world& around, user_id user, page kind) : w_(around), user_(std::move(user)), kind_(kind), view_(kind) {}

void viewer::start() {
  connect();
}

std::optional<position> viewer::since() const {
  if (kind_ == page::stock || !view_.has_state()) return std::nullopt;
  return view_.at();
}

void viewer::connect() {
  if (!w_.the_gateway || !w_.the_gateway->alive()) return come_again();
  // A page may look at a child session, too; the one it stays with.
  if (session_.empty()) {
    std::vector<session_id> all{w_.db.root()};
    for (const auto& [id, row] : w_.db.rows().sessions()) {
      if (id != w_.db.root()) all.push_back(id);
    }
    session_ = all[w_.by.one_in(2) ? 0 : w_.by.below(all.size())];
    view_ = view(kind_);
  }
  socket_ = new_life();
  w_.the_gateway->knock(*this);
}

void viewer::come_again() {
  open_ = false;
  placed = false;
  slow_ = false;
  socket_.reset();
  w_.loop.after(w_.by.between(micros(100'000), micros(2'000'000)), page_, [this] { connect(); });
}

void viewer::close() {
  if (!socket_) return;
  if (w_.the_gateway) w_.the_gateway->leave(*this);
  if (w_.by.one_in(3)) session_ = {};
  come_again();
}

void viewer::admitted() {}

void viewer::refused() {
  session_ = {};
  come_again();
}

void viewer::not_found() {
  session_ = {};
  come_again();
}

void viewer::gateway_died() {
  come_again();
}

bool viewer::is_slow() {
  if (!w_.happens(w_.bad.slow_viewer)) return false;
  slow_ = true;
  w_.loop.after(w_.by.between(micros(10'000), micros(4'000'000)), socket_, [this] {
    slow_ = false;
    if (w_.the_gateway && w_.the_gateway->alive()) w_.the_gateway->writable(*this);
  });
  return true;
}

std::optional<position> viewer::take_state(const throughline::gateway::full_state& s, bool with_baseline) {
  if (is_slow()) return position{};
  if (!open_) opened_at_ = w_.loop.now();
  open_ = true;
  view_.apply(*s.body);
  must(with_baseline == (kind_ == page::stock), "wire_version", "a baseline is for stock pages");
  if (with_baseline && s.baseline) view_.apply(*s.baseline);
  w_.check.shown(session_, view_, view_.at());
  return std::nullopt;
}

std::optional<position> viewer::take_event(const replay::live_event& e) {
  const auto before = view_.at();
  if (is_slow()) return before;
  must(open_ && view_.has_state(), "state_first", "an event before any state");
  view_.apply(*e.body);
  w_.check.delivered(session_, view_.at(), *e.body);
  must(view_.at().seq == before.seq + 1, "contiguous", to_text(view_.at()) + " after " + to_text(before));
  w_.check.shown(session_, view_, view_.at());
  return std::nullopt;
}

std::optional<position> viewer::take_replay(const std::vector<replay::live_event>& events, position) {
  if (!open_) opened_at_ = w_.loop.now();
  open_ = true;
  for (const auto& e : events) {
    if (const auto has = take_event(e)) return has;
  }
  return std::nullopt;
}

void viewer::heartbeat(position at) {
  must(at.seq == view_.at().seq, "heartbeat", "says " + to_text(at) + " to a viewer at " + to_text(view_.at()));
}

}  // namespace throughline::simulation
