#include "tests/simulation/viewer.hpp"

#include "common/codec/close_codes.hpp"
#include "tests/simulation/user_socket.hpp"
#include "tests/simulation/violation.hpp"

namespace throughline::simulation {

namespace {

/// Design 5.4: 15 s apart, and what a look at the database takes.
constexpr micros heartbeat_max{16'000'000};
/// A page without any sign of life this long connects anew.
constexpr micros silence_max{45'000'000};

}  // namespace

viewer::viewer(world& around, user_id user, page kind) : w_(around), user_(std::move(user)), kind_(kind), view_(kind) {}

viewer::~viewer() = default;

void viewer::start() {
  connect();
}

void viewer::stay_for(micros how_long) {
  w_.loop.after(how_long, page_, [this] {
    stays_ = false;
    if (socket_) socket_->page_left(w_.stormy && w_.by.one_in(8));
    open_ = false;
    socket_.reset();
    here_.reset();
    page_.reset();
  });
}

/// Where it stopped, or, now and then, a position that no page can have.
std::optional<position> viewer::since() {
  if (kind_ == page::stock || !view_.has_state()) return std::nullopt;
  auto at = view_.at();
  if (!std::exchange(odd_since_, false)) return at;
  if (w_.by.one_in(2)) return position{at.epoch + 1'000, at.seq};
  return position{at.epoch, at.seq + 100'000};
}

void viewer::connect() {
  const auto at = w_.any_gateway();
  if (!at) return come_again();
  // A page may look at a child session, too; the one it stays with.
  if (session_.empty()) {
    std::vector<session_id> all{w_.db.root()};
    for (const auto& [id, row] : w_.db.rows().sessions()) {
      if (id != w_.db.root()) all.push_back(id);
    }
    session_ = all[w_.by.one_in(2) ? 0 : w_.by.below(all.size())];
    view_ = view(kind_);
  }
  here_ = new_life();
  socket_ = std::make_shared<user_socket>(w_, at, *this);
  socket_->knock();
}

std::optional<position> viewer::upgraded() {
  view_.begin_connection();
  asked_since_ = since();
  replaying_ = asked_since_.has_value();
  expect_heartbeat();
  return asked_since_;
}

void viewer::come_again() {
  open_ = false;
  replaying_ = false;
  resyncs_ = 0;
  resyncing_ = false;
  socket_.reset();
  here_.reset();
  w_.loop.after(w_.by.between(micros(100'000), micros(2'000'000)), page_, [this] { connect(); });
}

void viewer::close() {
  if (!socket_) return;
  socket_->page_left(w_.stormy && w_.by.one_in(8));
  if (w_.by.one_in(3)) session_ = {};
  come_again();
}

void viewer::closed(int code) {
  if (code == codec::close_code::not_found) session_ = {};
  come_again();
}

void viewer::resync() {
  if (kind_ == page::stock || !open_) return;
  ++resyncs_;
  resyncing_ = true;
  w_.loop.after(w_.by.between(micros(50), micros(2'000)), here_, [this] { socket_->resync(); });
}

void viewer::begin_state() {
  if (std::exchange(open_, true)) return;
  opened_at_ = w_.loop.now();
}

void viewer::take(const std::string& frame) {
  w_.check.may_see(user_);
  const auto before = view_.at();
  switch (view_.apply(frame)) {
    case frame_kind::full:
      return take_full(before);
    case frame_kind::event:
      return take_event(before, frame);
    case frame_kind::baseline:
      return w_.check.shown(session_, view_, view_.at());
    case frame_kind::replay_complete:
      must(replaying_, "wire_version", "replay_complete without a replay");
      must(view_.said().seq == view_.at().seq, "gapless",
           "a replay ends at " + to_text(view_.said()) + " and not there");
      replaying_ = false;
      return begin_state();
    case frame_kind::heartbeat:
      ++beats_;
      expect_heartbeat();
      must(kind_ == page::extended && open_, "wire_version", "a heartbeat that nobody asked for");
      must(view_.said().seq == view_.at().seq, "heartbeat",
           "says " + to_text(view_.said()) + " to a viewer at " + to_text(view_.at()));
  }
}

void viewer::take_full(position before) {
  // A viewer that could go on is not sent everything again (G10).
  const bool has_reason = !open_ || resyncs_ > 0 || socket_->was_full() || view_.at().epoch != before.epoch;
  must(has_reason || !w_.bad.clean(), "needless_reset",
       "a full state at " + to_text(view_.at()) + " for a viewer that was at " + to_text(before));
  if (resyncs_ > 0) --resyncs_;
  resyncing_ = false;
  replaying_ = false;
  begin_state();
  if (!view_.awaits_baseline()) w_.check.shown(session_, view_, view_.at());
}

void viewer::take_event(position before, const std::string& frame) {
  must((open_ || replaying_) && view_.has_state(), "state_first", "an event before any state");
  w_.check.delivered(session_, view_.at(), frame);
  must(view_.at().seq == before.seq + 1, "contiguous", to_text(view_.at()) + " after " + to_text(before));
  w_.check.shown(session_, view_, view_.at());
}

void viewer::expect_heartbeat() {
  const auto longest = w_.bad.clean() ? heartbeat_max : silence_max;
  w_.loop.after(longest, here_, [this, beats = beats_] {
    if (kind_ == page::stock || beats_ != beats) return;
    must(!w_.bad.clean() || !open_, "heartbeat", "none for too long");
    close();
  });
}

}  // namespace throughline::simulation
