// A v2 agent over sockets that die, bridges that die with what they had read, and an owner that knows the instance's
// cursor: whatever ends where, everything it said is there once, in order (design 5.5, 6.2).

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/delta/text.hpp"
#include "services/agent-bridge/core/attachment.hpp"

using namespace throughline;
using namespace throughline::agent_bridge;

namespace {

struct agent_model {
  std::deque<std::pair<std::uint64_t, agent_event>> kept;  // no ack yet
  std::uint64_t last = 0;
  std::size_t unsent_from = 0;  // index into kept

  void say(agent_event what) { kept.emplace_back(++last, std::move(what)); }
  void hear(std::uint64_t committed) {
    while (!kept.empty() && kept.front().first <= committed) {
      kept.pop_front();
      if (unsent_from > 0) --unsent_from;
    }
  }
};

/// One session: cursors per attachment and per instance, contents per entry, ends in order.
struct owner_model {
  std::map<std::string, std::uint64_t> cursors;
  std::map<std::string, std::map<std::string, std::string>> bases;  // of an attachment
  std::uint64_t committed = 0;                                      // of the instance
  std::map<std::string, std::string> entries;
  std::vector<std::string> ends;

  reply take(const hand_over& given) {
    auto& cursor = cursors[given.attachment.text()];
    cursor = std::max(cursor, given.acknowledged);
    for (const auto& frame : given.frames) {
      if (frame.number <= cursor) continue;
      if (frame.number > cursor + 1) return hand_over_result{hand_over_status::expected, cursor + 1, ""};
      const bool known = frame.agent_seq <= committed;
      if (frame.event) {
        if (const auto* message = std::get_if<agent::message_added>(&*frame.event)) {
          auto& base = bases[given.attachment.text()][message->message.text()];
          const auto next = delta::apply(base, delta::hash_of(base), message->content);
          if (!next) return hand_over_result{hand_over_status::need_full, frame.number, ""};
          base = *next;
          if (!known) entries[message->message.text()] = *next;
        } else if (!known) {
          ends.push_back(std::get<agent::message_completed>(*frame.event).request.text());
        }
      }
      committed = std::max(committed, frame.agent_seq);
      cursor = frame.number;
    }
    return hand_over_result{hand_over_status::applied, cursor, ""};
  }
};

struct world {
  std::mt19937_64 chance;
  moment now{};
  agent_model agent;
  owner_model owner;
  std::unique_ptr<attachment> socket;
  std::deque<hand_over> asked;  // on their way; those of dead attachments may still arrive
  unsigned attachments = 0;
  unsigned repeated = 0;
  std::map<std::string, std::string> said;
  std::vector<std::string> ended;

  explicit world(std::uint64_t seed) : chance(seed) { connect(); }

  void connect() {
    const attachment_id id("att_" + std::to_string(++attachments));
    socket = std::make_unique<attachment>(
        attachment_identity{session_id("ses_1"), id, bridge_id("brg_1"), "hash", "life"}, outbox_limits{}, chance());
    agent.unsent_from = 0;
    apply(input::attach_committed{1, owner.committed});
  }

  void apply(attachment_input what) {
    for (auto& e : socket->apply(std::move(what), now)) {
      if (const auto* resume = std::get_if<effect::resume>(&e)) {
        agent.hear(resume->last.seq);
        agent.unsent_from = 0;
      } else if (const auto* ack = std::get_if<effect::acknowledge>(&e)) {
        REQUIRE(ack->agent_seq <= owner.committed);
        agent.hear(ack->agent_seq);
        apply(input::ack_settled{true});
      } else if (auto* ask = std::get_if<effect::ask_owner>(&e)) {
        if (auto* frames = std::get_if<hand_over>(&ask->request)) asked.push_back(std::move(*frames));
      } else if (std::holds_alternative<effect::frame_repeated>(e)) {
        ++repeated;
      } else if (std::holds_alternative<effect::close_socket>(e) || std::holds_alternative<effect::frames_skipped>(e)) {
        FAIL("closed, or something was skipped");
      }
    }
  }

  void speak() {
    if (chance() % 8 == 0) {
      ended.push_back(std::to_string(ended.size()));
      agent.say(agent::message_completed{.thread = thread_id("t"), .request = request_id(ended.back())});
      return;
    }
    const auto id = std::to_string(chance() % 3);
    said[id] += static_cast<char>('a' + chance() % 26);
    agent.say(agent::message_added{
        .thread = thread_id("t"), .message = message_id(id), .content = delta::whole(said[id]), .request = {}});
  }

  void send_one() {
    if (agent.unsent_from >= agent.kept.size() || !socket->wants_frames()) return;
    const auto [number, what] = agent.kept[agent.unsent_from++];
    apply(input::frame_read{what, number});
  }

  /// A hand-over reaches the owner, or not; its answer the bridge, or not.
  void deliver() {
    if (asked.empty()) return;
    const auto request = std::move(asked.front());
    asked.pop_front();
    const bool arrives = chance() % 6 != 0;
    const auto answer = arrives ? owner.take(request) : reply{deferred{}};
    if (request.attachment != socket->identity().attachment) return;
    if (!arrives || chance() % 6 == 0) return apply(input::unanswered{lane::frames, send_failure::timeout});
    apply(input::answered{lane::frames, answer});
  }

  void step() {
    now += milliseconds(chance() % 30);
    switch (chance() % 12) {
      case 0:
      case 1:
      case 2:
        speak();
        break;
      case 3:
        if (chance() % 6 == 0) connect();  // the bridge was killed; what it had read is gone with it
        break;
      case 4:
        // The agent says something again without a reason.
        if (agent.unsent_from > 0 && socket->wants_frames()) {
          const auto [number, what] = agent.kept[chance() % agent.unsent_from];
          apply(input::frame_read{what, number});
        }
        break;
      default:
        chance() % 2 == 0 ? send_one() : deliver();
        apply(input::tick{});
    }
  }
  using milliseconds = std::chrono::milliseconds;
};

}  // namespace

TEST_CASE("a numbered agent loses nothing to bridges that die, and nothing acts twice") {
  unsigned repeated = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    world w(seed);
    for (int i = 0; i < 600; ++i) w.step();
    for (int i = 0; i < 20'000 && !w.agent.kept.empty(); ++i) {
      w.now += std::chrono::milliseconds(5);
      w.send_one();
      w.deliver();
      w.apply(input::tick{});
    }
    REQUIRE(w.agent.kept.empty());
    CHECK(w.owner.entries == w.said);
    CHECK(w.owner.ends == w.ended);
    CHECK(w.owner.committed == w.agent.last);
    repeated += w.repeated;
  }
  CHECK(repeated > 0);
}
