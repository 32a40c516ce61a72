// Random histories: every viewer's frames are checked as they come (watch_rig.hpp); in the end, when the wire is quiet,
// head checks alone must have brought every viewer to the database's head.

#include <cstdlib>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/ulid.hpp"
#include "tests/unit/gateway/core/watch_rig.hpp"

using namespace throughline;
using namespace throughline::gateway;

namespace {

struct asked_head {
  position held;
  head_reading answer;
  millis at{0};
};

class history {
 public:
  explicit history(std::uint64_t seed) : chance_(seed) {}

  void run(unsigned steps) {
    for (unsigned i = 0; i < steps; ++i) step();
    settle();
  }

 private:
  std::uint64_t pick(std::uint64_t below) { return chance_.next() % below; }

  void step() {
    switch (pick(17)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return publish();
      case 4:
        return deliver_delayed();
      case 5:
        return join();
      case 6:
        return open_one();
      case 7:
        return leave();
      case 8:
        return answer_snapshot();
      case 9:
        if (rig_.resume && pick(2) == 0) return answer_resume();
        return answer_range();
      case 10:
        heads_.push_back({rig_.core.held(), rig_.head_now(), rig_.now});
        return;
      case 11:
        return answer_head();
      case 12:
        return rig_.pass(millis(pick(600)));
      case 13:
        return stall_or_drain();
      case 14:
        if (rig_.snapshots_open > 0) taken_ = rig_.reading();  // what a read on its way has seen
        return;
      case 15:
        return resync();
      default:
        if (pick(12) == 0) fail_over();
    }
  }

  void publish() {
    rig_.commit();
    const auto event = rig_.stored(rig_.head.seq);
    switch (pick(6)) {
      case 0:
        return;  // lost, or the process died between commit and publish
      case 1:
        delayed_.push_back(event);
        return;  // reordered
      case 2:
        delayed_.push_back(event);
        break;  // repeated
      default:
        break;
    }
    rig_.deliver(event);
  }
  void deliver_delayed() {
    if (delayed_.empty()) return;
    const auto at = static_cast<std::ptrdiff_t>(pick(delayed_.size()));
    const auto event = delayed_[static_cast<std::size_t>(at)];
    if (pick(2) == 0) delayed_.erase(delayed_.begin() + at);
    rig_.deliver(event);
  }
  void join() {
    if (rig_.core.viewers() >= 12) return;
    const auto who = rig_.knock("ana", pick(2) == 0 ? wire_version::v1 : wire_version::v2);
    there_.push_back(who);
    opened_[who] = false;
  }
  void open_one() {
    for (const auto who : there_) {
      if (!rig_.viewers[who].admitted || opened_[who]) continue;
      opened_[who] = true;
      const bool resumes = rig_.viewers[who].version == wire_version::v2 && pick(2) == 0;
      if (!resumes) return rig_.open(who);
      const auto seq = 1 + pick(rig_.head.seq);
      if (pick(6) != 0) return rig_.open(who, position{rig_.written.at(seq), seq});
      return rig_.open(who, position{1 + pick(rig_.head.epoch + 1), seq + pick(3)});  // whoever says so
    }
  }
  void resync() {
    if (there_.empty()) return;
    const auto who = there_[pick(there_.size())];
    if (!opened_[who] || rig_.viewers[who].version == wire_version::v1) return;
    watch_effects out;
    rig_.core.resync(who, rig_.now, out);
    rig_.perform(out);
  }
  void answer_resume() {
    rig_.resume_most = pick(3) == 0 ? 1 + pick(4) : watch::resume_events_max;
    if (pick(6) == 0) return rig_.answer_resume(std::nullopt);
    rig_.answer_resume();
  }
  void leave() {
    if (there_.empty() || pick(3) != 0) return;
    const auto at = there_.begin() + static_cast<std::ptrdiff_t>(pick(there_.size()));
    rig_.core.leave(*at);
    there_.erase(at);
  }
  void answer_snapshot() {
    if (rig_.snapshots_open == 0) return;
    auto answer = std::exchange(taken_, std::nullopt);
    if (pick(5) == 0) return rig_.answer_snapshot(std::nullopt);
    rig_.answer_snapshot(answer ? *answer : rig_.reading());
  }
  void answer_range() {
    if (!rig_.range) return;
    if (pick(5) == 0) return rig_.lose_range();
    rig_.answer_range(1 + pick(4));
  }
  void answer_head() {
    if (heads_.empty()) return;
    const auto one = heads_.front();
    heads_.erase(heads_.begin());
    rig_.answer_head(one.held, one.answer, one.at);
  }
  void stall_or_drain() {
    if (there_.empty()) return;
    const auto who = there_[pick(there_.size())];
    if (!opened_[who]) return;
    if (rig_.viewers[who].full) {
      rig_.writable(who);
    } else {
      rig_.viewers[who].full = true;
    }
  }
  /// A standby takes over; it may lack the last commits.
  void fail_over() {
    const auto lost = std::min<std::uint64_t>(pick(3), rig_.head.seq - 1);
    for (std::uint64_t i = 0; i < lost; ++i) rig_.written.erase(rig_.head.seq--);
    ++rig_.head.epoch;
  }

  void settle() {
    taken_.reset();
    for (const auto who : there_) {
      if (rig_.viewers[who].full) rig_.writable(who);
    }
    for (int i = 0; i < 60; ++i) {
      if (rig_.snapshots_open > 0) rig_.answer_snapshot();
      if (rig_.range) rig_.answer_range();
      if (rig_.resume) rig_.answer_resume();
      if (i % 20 == 0) rig_.check_head();
      for (std::size_t n = 0; n < there_.size(); ++n) open_one();
      rig_.pass(millis(300));
    }
    for (const auto who : there_) {
      CHECK(rig_.viewers[who].admitted);
      CHECK_MESSAGE(rig_.viewers[who].at == rig_.head,
                    "viewer at " << to_text(rig_.viewers[who].at) << ", database at " << to_text(rig_.head));
    }
    CHECK(rig_.core.held() == rig_.head);
  }

  id_source chance_;
  gateway::test::rig rig_;
  std::vector<replay::live_event> delayed_;
  std::vector<viewer_key> there_;
  std::map<viewer_key, bool> opened_;
  std::vector<asked_head> heads_;
  std::optional<session_reading> taken_;
};

}  // namespace

TEST_CASE("whatever the wire does, every viewer ends with the database's state and saw no step out of order") {
  const char* only = std::getenv("WATCH_SEED");
  const std::uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 1;
  const std::uint64_t last = only != nullptr ? first : 3'000;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    CAPTURE(seed);
    history(seed).run(150);
  }
}
