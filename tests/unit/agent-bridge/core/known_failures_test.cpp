// Failures that a bridge could bring about (protocol G), by their numbers.
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/delta/text.hpp"
#include "services/agent-bridge/core/attachment.hpp"

using namespace throughline;
using namespace throughline::agent_bridge;

namespace {

agent::message_added said(std::string message, std::string content, entry_type type = entry_type::text) {
  return {.thread = thread_id("t"),
          .message = message_id(std::move(message)),
          .type = type,
          .content = delta::whole(std::move(content)),
          .request = request_id("int_1")};
}

/// A bridge with one agent, and an owner that answers when told to and joins what it was given.
struct line {
  moment now{};
  attachment bridge{{session_id("ses_1"), attachment_id("att_1"), bridge_id("brg_1"), "hash"}, {}, 7};
  std::vector<numbered_frame> asked;
  unsigned requests = 0;

  void apply(const attachment_input& what) {
    for (auto& e : bridge.apply(what, now)) {
      auto* ask = std::get_if<effect::ask_owner>(&e);
      auto* frames = ask ? std::get_if<hand_over>(&ask->request) : nullptr;
      if (!frames) continue;
      asked = std::move(frames->frames);
      ++requests;
    }
  }
  void read(agent_event event) { apply(input::frame_read{std::move(event)}); }
  void answer(hand_over_status status, std::uint64_t number) {
    apply(input::answered{lane::frames, hand_over_result{status, number, ""}});
  }
  std::string text_of(std::size_t i, const std::string& base = "") const {
    const auto& change = std::get<agent::message_added>(*asked.at(i).event).content;
    return delta::apply(base, delta::hash_of(base), change).value();
  }
};

}  // namespace

TEST_CASE("G37: what was read goes again, number for number, until it is committed") {
  line l;
  l.read(said("1", "one"));
  l.read(said("2", "two"));
  l.read(agent::message_completed{.thread = thread_id("t"), .request = request_id("int_1")});
  l.apply(input::unanswered{lane::frames, send_failure::timeout});
  for (int i = 0; i < 5; ++i) {
    l.apply(input::wire_restored{});
    REQUIRE(l.asked.size() == 3);
    CHECK(l.asked.front().number == 1);
    CHECK(l.asked.back().number == 3);
    CHECK(l.text_of(1) == "two");
    l.apply(input::unanswered{lane::frames, send_failure::connection_lost});
  }
  l.apply(input::wire_restored{});
  l.answer(hand_over_status::expected, 2);
  REQUIRE(l.asked.size() == 2);
  CHECK(l.asked.front().number == 2);
  l.answer(hand_over_status::applied, 3);
  CHECK(l.bridge.kept().empty());
}

TEST_CASE("G59: the newest words leave with the next hand-over, whether or not more follow") {
  line l;
  l.read(said("1", "Still a"));
  l.read(said("1", "Still a go"));
  l.read(said("1", "Still a goal"));
  REQUIRE(l.requests == 1);
  l.answer(hand_over_status::applied, 1);
  REQUIRE(l.requests == 2);
  REQUIRE(l.asked.size() == 1);
  CHECK(l.text_of(0, "Still a") == "Still a goal");
}

TEST_CASE("G60: what was said before a tool call is handed over before it, in full") {
  line l;
  l.read(said("0", "x"));
  l.read(said("1", "I will"));
  l.read(said("1", "I will look"));
  l.read(said("2", "**Tool Call: ls**", entry_type::tool_call));
  l.answer(hand_over_status::applied, 1);
  REQUIRE(l.asked.size() == 2);
  CHECK(l.text_of(0) == "I will look");
  CHECK(l.text_of(1) == "**Tool Call: ls**");
}

TEST_CASE("G61: the last words are handed over before the end, never merged behind it") {
  line l;
  l.read(said("1", "al"));
  l.read(said("1", "all"));
  l.read(agent::message_completed{.thread = thread_id("t"), .request = request_id("int_1")});
  l.read(said("1", "all of it"));
  l.answer(hand_over_status::applied, 1);
  REQUIRE(l.asked.size() == 3);
  CHECK(l.text_of(0, "al") == "all");
  CHECK(std::holds_alternative<agent::message_completed>(*l.asked[1].event));
  CHECK(l.text_of(2, "all") == "all of it");
}
