// The hand-over against an owner that is a few lines of design 3.10, over a wire that loses, repeats, delays and
// reorders, with owners that forget bases and are replaced: what the owner ends with is what the agent said.

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/delta/text.hpp"
#include "services/agent-bridge/core/attachment.hpp"

using namespace throughline;
using namespace throughline::agent_bridge;

namespace {

struct owner_model {
  std::uint64_t cursor = 0;
  std::map<std::string, std::string> entries;  // committed
  std::vector<std::string> ends;               // completions, in order
  std::mt19937_64& chance;

  bool one_in(unsigned n) { return chance() % n == 0; }

  /// False: its base is not there.
  bool apply(const agent::message_added& message) {
    auto& content = entries[message.message.text()];
    if (message.content.base && one_in(10)) return false;  // it would have to be rebuilt: asks for the whole instead
    auto next = delta::apply(content, delta::hash_of(content), message.content);
    if (!next) return false;
    content = *next;
    return true;
  }

  reply take(const hand_over& given) {
    if (one_in(12)) return deferred{deferral::busy, 5};
    if (one_in(12)) return deferred{deferral::not_owner, 0};
    cursor = std::max(cursor, given.acknowledged);
    for (const auto& frame : given.frames) {
      if (frame.number <= cursor) continue;
      if (frame.number > cursor + 1) return hand_over_result{hand_over_status::expected, cursor + 1, ""};
      const auto* message = frame.event ? std::get_if<agent::message_added>(&*frame.event) : nullptr;
      if (message && !apply(*message)) return hand_over_result{hand_over_status::need_full, frame.number, ""};
      if (frame.event && !message) ends.push_back(std::get<agent::message_completed>(*frame.event).request.text());
      cursor = frame.number;
      if (one_in(40)) break;  // a batch that was cut
    }
    return hand_over_result{hand_over_status::applied, cursor, ""};
  }
};

struct world {
  struct in_flight {
    moment at;
    hand_over what;
    std::uint64_t ask;
  };

  std::mt19937_64 chance;
  moment now{};
  attachment bridge;
  owner_model owner;
  std::vector<in_flight> wire;
  std::map<std::string, std::string> said;
  std::vector<std::string> ended;
  std::uint64_t asks = 0;  // answers to an older one come too late
  moment times_out{};
  bool waiting = false;

  world(std::uint64_t seed, outbox_limits limits)
      : chance(seed),
        bridge({session_id("ses_1"), attachment_id("att_1"), bridge_id("brg_1"), ""}, limits, seed),
        owner{.entries = {}, .ends = {}, .chance = chance} {}

  millis delay() { return millis(chance() % 40); }

  void perform(const attachment_effects& effects) {
    for (const auto& e : effects) {
      const auto* ask = std::get_if<effect::ask_owner>(&e);
      if (!ask) continue;
      const auto* given = std::get_if<hand_over>(&ask->request);
      REQUIRE(given);
      ++asks;
      waiting = true;
      times_out = now + millis(60);
      for (unsigned copies = chance() % 5 == 0 ? chance() % 3 : 1; copies > 0; --copies) {
        wire.push_back({now + delay(), *given, asks});
      }
    }
  }

  void agent_speaks() {
    const auto id = std::to_string(chance() % 4);
    if (chance() % 10 == 0) {
      ended.push_back(std::to_string(ended.size()));
      return perform(bridge.apply(
          input::frame_read{agent::message_completed{.thread = thread_id("t"), .request = request_id(ended.back())}},
          now));
    }
    auto& content = said[id];
    if (chance() % 15 == 0) content.resize(content.size() / 2);
    content += std::string(1 + chance() % 30, static_cast<char>('a' + chance() % 26));
    perform(bridge.apply(input::frame_read{agent::message_added{.thread = thread_id("t"),
                                                                .message = message_id(id),
                                                                .content = delta::whole(content),
                                                                .request = request_id("r")}},
                         now));
  }

  void deliver() {
    for (std::size_t i = 0; i < wire.size();) {
      if (wire[i].at > now) {
        ++i;
        continue;
      }
      const auto message = wire[i];
      wire.erase(wire.begin() + static_cast<std::ptrdiff_t>(i));
      if (chance() % 30 == 0) wire.push_back({now + millis(200), message.what, 0});  // a late repeat
      const auto answer = owner.take(message.what);
      if (chance() % 8 == 0 || message.ask != asks || !waiting) continue;  // lost, or nobody waits for it
      waiting = false;
      perform(bridge.apply(input::answered{lane::frames, answer}, now));
    }
  }

  void step() {
    now += millis(1);
    deliver();
    if (waiting && now >= times_out) {
      waiting = false;
      perform(bridge.apply(input::unanswered{lane::frames, send_failure::timeout}, now));
    }
    const auto wake = bridge.next_wake();
    if (wake && *wake <= now) perform(bridge.apply(input::tick{}, now));
  }
};

void run(std::uint64_t seed, outbox_limits limits) {
  CAPTURE(seed);
  world w(seed, limits);
  for (int i = 0; i < 400; ++i) {
    if (w.bridge.wants_frames()) w.agent_speaks();
    for (auto steps = w.chance() % 6; steps > 0; --steps) w.step();
  }
  int steps = 0;
  while (!w.bridge.kept().empty() && ++steps < 200'000) w.step();
  REQUIRE(w.bridge.kept().empty());
  for (int i = 0; i < 300; ++i) w.step();  // late repeats change nothing
  CHECK(w.owner.entries == w.said);
  CHECK(w.owner.ends == w.ended);
  CHECK(w.owner.cursor == w.bridge.kept().last_number());
  CHECK(w.bridge.kept().bytes() == 0);
}

}  // namespace

TEST_CASE("nothing is lost, doubled or out of order on a bad wire") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) run(seed, {});
}

TEST_CASE("the same with hardly any room") {
  const outbox_limits small{
      .bytes_max = 3000, .frames_max = 16, .base_bytes_max = 500, .batch_bytes_max = 700, .batch_frames_max = 5};
  for (std::uint64_t seed = 1; seed <= 150; ++seed) run(seed, small);
}
