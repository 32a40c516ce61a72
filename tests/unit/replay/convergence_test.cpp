// Whatever the wire does, a viewer sees a contiguous log and ends with all of it.

#include <algorithm>
#include <deque>

#include <doctest/doctest.h>

#include "common/base/ulid.hpp"
#include "common/replay/splice.hpp"

using namespace throughline;
using namespace throughline::replay;

namespace {

/// A database with one session, a lossy wire, and a gateway's splice with one viewer.
class world {
 public:
  explicit world(std::uint64_t seed) : ids_(seed) { ask_snapshot_ = true; }

  void step_once() {
    switch (ids_.next() % 8) {
      case 0:
      case 1:
        return write();
      case 2:
      case 3:
      case 4:
        return deliver();
      case 5:
        return answer();
      case 6:
        return check_head();
      default:
        if (ids_.next() % 50 == 0) raise_epoch();
    }
  }

  /// No more loss: everything in flight arrives, questions are answered, heads are checked.
  void settle() {
    lossless_ = true;
    for (int i = 0; i < 200; ++i) {
      while (!wire_.empty()) deliver();
      answer();
      check_head();
      if (look_again_) answer();
    }
  }

  void check() const {
    REQUIRE(splice_.status() == splice_status::live);
    REQUIRE(splice_.held() == head());
    REQUIRE(shown_ == head());
  }

 private:
  position head() const { return {epoch_, log_.size()}; }
  bool one_in(std::uint64_t n) { return !lossless_ && ids_.next() % n == 0; }

  live_event event_of(std::uint64_t seq) const {
    live_event e;
    e.at = {log_[seq - 1], seq};
    e.body = std::make_shared<std::string>("event");
    return e;
  }

  void write() {
    log_.push_back(epoch_);
    if (one_in(5)) return;  // crash between commit and publish
    const auto copies = one_in(6) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      const auto back = static_cast<std::ptrdiff_t>(one_in(3) ? ids_.next() % (wire_.size() + 1) : 0);
      wire_.insert(wire_.end() - back, event_of(log_.size()));
    }
  }

  void deliver() {
    if (wire_.empty()) return;
    auto e = std::move(wire_.front());
    wire_.pop_front();
    if (!one_in(5)) perform(splice_.event(std::move(e)));
  }

  void answer() {
    if (ask_snapshot_) {
      ask_snapshot_ = false;
      if (one_in(4)) return perform(splice_.snapshot_failed());
      const auto at = head();
      if (one_in(2)) write();
      snapshot_ = at;
      return perform(splice_.snapshot(at));
    }
    if (fetch_) {
      const auto from = fetch_->since;
      fetch_.reset();
      if (one_in(4)) return perform(splice_.range_failed());
      std::vector<live_event> events;
      const auto limit = std::min<std::uint64_t>(log_.size(), from.seq + 1 + ids_.next() % 5);
      for (auto seq = from.seq + 1; seq <= limit; ++seq) events.push_back(event_of(seq));
      return perform(splice_.range(std::move(events), from.epoch == epoch_));
    }
    if (look_again_) {
      const auto again = *look_again_;
      look_again_.reset();
      perform(splice_.head_again(again));
    }
  }

  void check_head() {
    const auto asked = splice_.held();
    if (one_in(2)) deliver();
    perform(splice_.head(asked, head()));
  }

  /// A failover: the last commits may be gone, and the epoch is another.
  void raise_epoch() {
    ++epoch_;
    log_.resize(log_.size() - ids_.next() % (log_.size() + 1) / 2);
  }

  void perform(step s) {
    if (s.reset) {
      shown_ = {};
      fetch_.reset();
      look_again_.reset();
    }
    if (s.want_snapshot) ask_snapshot_ = true;
    if (snapshot_ && !s.stale && !s.reset && shown_.epoch == 0) shown_ = *snapshot_;
    snapshot_.reset();
    for (const auto& e : s.forward) {
      REQUIRE(shown_.epoch == e.at.epoch);
      REQUIRE(shown_.seq + 1 == e.at.seq);
      shown_ = e.at;
    }
    if (s.fetch) fetch_ = s.fetch;
    if (s.look_again) look_again_ = s.look_again;
  }

  id_source ids_;
  std::vector<std::uint64_t> log_ = {1};  // the epoch of each event; the index is its seq - 1
  std::uint64_t epoch_ = 1;
  std::deque<live_event> wire_;
  splice splice_{bounds{.count = 6, .bytes = 1000}};
  position shown_;
  std::optional<position> snapshot_;
  std::optional<hole> fetch_;
  std::optional<position> look_again_;
  bool ask_snapshot_ = false;
  bool lossless_ = false;
};

}  // namespace

TEST_CASE("loss, repetition, reordering, failed reads and failovers converge to the whole log") {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    CAPTURE(seed);
    world w(seed);
    for (int i = 0; i < 150; ++i) w.step_once();
    w.settle();
    w.check();
  }
}
