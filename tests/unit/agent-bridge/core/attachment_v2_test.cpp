// Agents that number what they say (design 5.5).

#include <doctest/doctest.h>

#include "common/delta/text.hpp"
#include "services/agent-bridge/core/attachment.hpp"

using namespace throughline;
using namespace throughline::agent_bridge;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const bridge_order command = write_command{attachment_id("att_1"), command_id("cmd_1"), agent::cancel_current_turn{}};

struct fixture {
  moment now{};
  attachment one{{session_id("ses_1"), attachment_id("att_1"), bridge_id("brg_1"), "hash", "life"}, {}, 7};
  attachment_effects first;

  explicit fixture(std::uint64_t committed = 0) { first = apply(input::attach_committed{3, committed}); }

  attachment_effects apply(const attachment_input& what) { return one.apply(what, now); }
  attachment_effects wait(milliseconds longer) {
    now += longer;
    return apply(input::tick{});
  }
  attachment_effects say(std::optional<std::uint64_t> number) {
    return apply(input::frame_read{agent::turn_cancelled{.request = request_id("int_1"), .cancelled = true}, number});
  }
  attachment_effects applied(std::uint64_t number) {
    return apply(input::answered{lane::frames, hand_over_result{hand_over_status::applied, number, ""}});
  }
};

template <class T>
const T* find(const attachment_effects& effects) {
  for (const auto& e : effects) {
    if (const auto* found = std::get_if<T>(&e)) return found;
  }
  return nullptr;
}

template <class T>
const T* asked(const attachment_effects& effects) {
  for (const auto& e : effects) {
    const auto* ask = std::get_if<effect::ask_owner>(&e);
    const auto* request = ask ? std::get_if<T>(&ask->request) : nullptr;
    if (request) return request;
  }
  return nullptr;
}

std::uint64_t acknowledged(const attachment_effects& effects) {
  const auto* ack = find<effect::acknowledge>(effects);
  return ack ? ack->agent_seq : 0;
}

}  // namespace

TEST_CASE("it is told where it stands, first of all; a stock agent is not") {
  fixture f(41);
  REQUIRE(find<effect::resume>(f.first));
  CHECK(find<effect::resume>(f.first)->last == position{3, 41});
  attachment stock({session_id("ses_1"), attachment_id("att_1"), bridge_id("brg_1"), "hash"}, {}, 7);
  CHECK(stock.apply(input::attach_committed{3, 0}, moment{}).empty());
}

TEST_CASE("its numbers travel with its frames, and come back as acks once these are committed") {
  fixture f(41);
  const auto sent = f.say(42);
  REQUIRE(asked<hand_over>(sent));
  CHECK(asked<hand_over>(sent)->frames.at(0).number == 1);
  CHECK(asked<hand_over>(sent)->frames.at(0).agent_seq == 42);
  CHECK(acknowledged(sent) == 0);
  CHECK(acknowledged(f.applied(1)) == 42);
}

TEST_CASE("many commits make few acks, and the last one comes by itself") {
  fixture f;
  f.say(1);
  CHECK(acknowledged(f.applied(1)) == 1);
  f.apply(input::ack_settled{true});
  for (std::uint64_t n = 2; n <= 20; ++n) {
    f.say(n);
    CHECK(acknowledged(f.applied(n)) == 0);
  }
  REQUIRE(f.one.next_wake());
  CHECK(*f.one.next_wake() == f.now + ack_pacer::interval);
  CHECK(acknowledged(f.wait(ack_pacer::interval)) == 20);
}

TEST_CASE("what was said before is dropped, and acknowledged if it is committed") {
  fixture f(41);
  const auto old = f.say(41);
  CHECK(find<effect::frame_repeated>(old));
  CHECK_FALSE(asked<hand_over>(old));
  CHECK(acknowledged(old) == 41);
  f.apply(input::ack_settled{true});
  f.say(42);
  f.now += seconds(1);
  const auto again = f.say(42);
  CHECK(find<effect::frame_repeated>(again));
  CHECK(acknowledged(again) == 0);
  CHECK(f.one.kept().last_number() == 1);
  CHECK(acknowledged(f.applied(1)) == 42);
}

TEST_CASE("the first frame may skip numbers, which are counted; a later gap closes with 1008") {
  fixture f(41);
  const auto first = f.say(45);
  REQUIRE(find<effect::frames_skipped>(first));
  CHECK(find<effect::frames_skipped>(first)->count == 3);
  CHECK(asked<hand_over>(first)->frames.at(0).agent_seq == 45);
  f.say(46);
  const auto gap = f.say(48);
  REQUIRE(find<effect::close_socket>(gap));
  CHECK(find<effect::close_socket>(gap)->code == 1008);
  CHECK(find<effect::close_socket>(gap)->reason.find("48") != std::string::npos);
  CHECK(f.one.reading_is_over());
  CHECK(f.one.kept().last_number() == 2);
  f.say(47);
  CHECK(f.one.kept().last_number() == 2);
}

TEST_CASE("a frame without a usable number is a bad frame, and the socket goes on") {
  fixture f;
  f.say(1);
  const auto none = f.say(std::nullopt);
  REQUIRE(find<effect::complain>(none));
  CHECK(find<effect::complain>(none)->message.find("seq") != std::string::npos);
  CHECK(f.one.kept().last_number() == 1);
  f.apply(input::frame_ignored{});
  const auto on = f.say(2);
  CHECK_FALSE(find<effect::close_socket>(on));
  CHECK(f.one.kept().last_number() == 2);
}

TEST_CASE("a frame without effect is numbered like any other, and acknowledged") {
  fixture f;
  const auto ping = f.apply(input::frame_read{agent::ping{}, 1});
  REQUIRE(asked<hand_over>(ping));
  CHECK_FALSE(asked<hand_over>(ping)->frames.at(0).event.has_value());
  CHECK(asked<hand_over>(ping)->frames.at(0).agent_seq == 1);
  f.apply(input::frame_ignored{2});
  const auto bad = f.apply(input::bad_frame{"data is missing", 3});
  CHECK(find<effect::complain>(bad));
  const auto rest = f.applied(1);
  CHECK(asked<hand_over>(rest)->frames.size() == 1);
  CHECK(asked<hand_over>(rest)->frames.at(0).agent_seq == 3);
  f.apply(input::ack_settled{true});
  f.now += seconds(1);
  CHECK(acknowledged(f.applied(2)) == 3);
  CHECK_FALSE(find<effect::complain>(f.apply(input::bad_frame{"data is missing", 3})));  // said again
}

TEST_CASE("what cannot be read at all may have had the number that is missing") {
  fixture f;
  f.say(1);
  CHECK(find<effect::complain>(f.apply(input::bad_frame{"not JSON"})));
  const auto next = f.say(3);
  CHECK_FALSE(find<effect::close_socket>(next));
  CHECK_FALSE(find<effect::frames_skipped>(next));
  CHECK(find<effect::close_socket>(f.say(5)));
}

TEST_CASE("an attachment that is made again keeps its instance; what the database lost is counted") {
  fixture f(41);
  f.say(42);
  f.applied(1);
  const auto again = f.apply(input::not_renewed{renewal_fault::unknown});
  REQUIRE(asked<attach>(again));
  CHECK(asked<attach>(again)->instance == "life");
  const auto back = f.apply(input::answered{lane::life, attached{session_id("ses_1"), 1, 40}});
  REQUIRE(find<effect::frames_skipped>(back));
  CHECK(find<effect::frames_skipped>(back)->count == 2);
  CHECK(asked<hand_over>(f.say(43))->frames.at(0).agent_seq == 43);
}

TEST_CASE("frames that nobody takes are not lost: the agent has no ack of them") {
  fixture f;
  f.say(1);
  f.say(2);
  f.apply(input::socket_ended{});
  const auto end = f.apply(input::answered{lane::frames, hand_over_result{hand_over_status::unknown, 0, ""}});
  REQUIRE(find<effect::finished>(end));
  CHECK(find<effect::finished>(end)->frames_lost == 0);
}

TEST_CASE("what is owed is acknowledged before the socket closes, and nothing after") {
  fixture f;
  f.say(1);
  f.applied(1);
  f.say(2);
  f.applied(2);
  const auto gone = f.apply(input::drain{});
  REQUIRE(gone.size() >= 2);
  CHECK(std::get<effect::acknowledge>(gone[0]).agent_seq == 2);
  CHECK(std::holds_alternative<effect::close_socket>(gone[1]));
  f.say(3);
  CHECK(acknowledged(f.applied(3)) == 0);
  CHECK(acknowledged(f.wait(seconds(1))) == 0);
}

TEST_CASE("an ack that its socket had no room for is said later") {
  fixture f;
  f.say(1);
  CHECK(acknowledged(f.applied(1)) == 1);
  f.apply(input::ack_settled{false});
  CHECK(acknowledged(f.wait(milliseconds(100))) == 0);
  CHECK(acknowledged(f.wait(ack_pacer::congested)) == 1);
}
