#include "services/agent-bridge/core/attachment.hpp"

#include <doctest/doctest.h>

#include "common/delta/text.hpp"

using namespace throughline;
using namespace throughline::agent_bridge;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct fixture {
  moment now{};
  attachment one{{session_id("ses_1"), attachment_id("att_1"), bridge_id("brg_1"), "hash"}, {}, 7};

  fixture() { one.apply(input::attach_committed{1, 0}, now); }

  attachment_effects apply(const attachment_input& what) { return one.apply(what, now); }
  attachment_effects wait(milliseconds longer) {
    now += longer;
    return apply(input::tick{});
  }
  attachment_effects say() {
    return apply(input::frame_read{agent::turn_cancelled{.request = request_id("int_1"), .cancelled = true}});
  }
  attachment_effects reply_frames(hand_over_status status, std::uint64_t number) {
    return apply(input::answered{lane::frames, hand_over_result{status, number, ""}});
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

const bridge_order command = write_command{attachment_id("att_1"), command_id("cmd_1"), agent::cancel_current_turn{}};

}  // namespace

TEST_CASE("frames are handed over one hand-over at a time") {
  fixture f;
  const auto first = f.say();
  REQUIRE(asked<hand_over>(first));
  CHECK(asked<hand_over>(first)->frames.size() == 1);
  CHECK(f.say().empty());
  CHECK(f.say().empty());
  const auto next = f.reply_frames(hand_over_status::applied, 1);
  REQUIRE(asked<hand_over>(next));
  CHECK(asked<hand_over>(next)->acknowledged == 1);
  CHECK(asked<hand_over>(next)->frames.size() == 2);
  CHECK(f.reply_frames(hand_over_status::applied, 3).empty());
  CHECK(f.one.kept().empty());
}

TEST_CASE("a ping is life, not a frame") {
  fixture f;
  CHECK(f.apply(input::frame_read{agent::ping{}}).empty());
  CHECK(f.one.kept().last_number() == 0);
}

TEST_CASE("without an answer the same frames go again; only what an owner may have seen is an attempt") {
  fixture f;
  f.say();
  CHECK(f.apply(input::unanswered{lane::frames, send_failure::no_responders}).empty());
  REQUIRE(f.one.next_wake());
  CHECK(*f.one.next_wake() > f.now);
  const auto again = f.wait(milliseconds(50));
  REQUIRE(asked<hand_over>(again));
  CHECK(asked<hand_over>(again)->attempt == 1);
  f.apply(input::unanswered{lane::frames, send_failure::timeout});
  CHECK(asked<hand_over>(f.wait(milliseconds(100)))->attempt == 2);
  f.apply(input::answered{lane::frames, deferred{deferral::busy, 300}});
  CHECK(f.wait(milliseconds(299)).empty());
  CHECK(asked<hand_over>(f.wait(milliseconds(700)))->attempt == 2);
  f.reply_frames(hand_over_status::applied, 1);
  CHECK(asked<hand_over>(f.say())->attempt == 1);
}

TEST_CASE("the wire coming back ends the waiting") {
  fixture f;
  f.say();
  for (int i = 0; i < 8; ++i) {
    f.apply(input::unanswered{lane::frames, send_failure::disconnected});
    if (i < 7) f.wait(seconds(1));
  }
  CHECK(asked<hand_over>(f.apply(input::wire_restored{})));
}

TEST_CASE("an expectation moves it on, and one below what is acknowledged is ignored") {
  fixture f;
  f.say();
  f.say();
  f.say();
  f.reply_frames(hand_over_status::applied, 1);
  const auto on = f.reply_frames(hand_over_status::expected, 3);
  REQUIRE(asked<hand_over>(on));
  CHECK(asked<hand_over>(on)->frames.front().number == 3);
  CHECK(f.reply_frames(hand_over_status::expected, 1).empty());
  const auto later = f.wait(milliseconds(50));
  CHECK(asked<hand_over>(later)->frames.front().number == 3);
  CHECK(asked<hand_over>(later)->acknowledged == 2);
}

TEST_CASE("an owner that repeats itself is not asked in a hot loop") {
  fixture f;
  f.say();
  CHECK(asked<hand_over>(f.reply_frames(hand_over_status::expected, 1)));
  CHECK(f.reply_frames(hand_over_status::expected, 1).empty());
}

TEST_CASE("need_full is answered with the whole content") {
  fixture f;
  const auto say = [&](std::string text) {
    return f.apply(input::frame_read{agent::message_added{
        .thread = thread_id("t"), .message = message_id("1"), .content = delta::whole(std::move(text))}});
  };
  say("ab");
  f.reply_frames(hand_over_status::applied, 1);
  say("abc");
  const auto full = f.reply_frames(hand_over_status::need_full, 2);
  REQUIRE(asked<hand_over>(full));
  const auto& event = std::get<agent::message_added>(*asked<hand_over>(full)->frames.at(0).event);
  CHECK(event.content == delta::whole("abc"));
}

TEST_CASE("a refused frame is consumed and said") {
  fixture f;
  f.say();
  const auto effects = f.apply(input::answered{lane::frames, hand_over_result{hand_over_status::refused, 1, "poison"}});
  REQUIRE(find<effect::frame_refused>(effects));
  CHECK(find<effect::frame_refused>(effects)->code == "poison");
  CHECK(f.one.kept().empty());
}

TEST_CASE(
    "an attachment wants to be renewed from its attach to the end of its reading, but not while it attaches again") {
  attachment fresh({session_id("ses_1"), attachment_id("att_1"), bridge_id("brg_1"), "hash"}, {}, 7);
  CHECK_FALSE(fresh.wants_renewal());
  fixture f;
  CHECK(f.one.wants_renewal());
  CHECK_FALSE(f.one.next_wake());  // it asks nothing of its own
  f.apply(input::not_renewed{renewal_fault::unknown});
  CHECK_FALSE(f.one.wants_renewal());
  f.apply(input::answered{lane::life, attached{session_id("ses_1"), 1}});
  CHECK(f.one.wants_renewal());
  f.apply(input::drain{});
  CHECK(f.one.wants_renewal());  // its agent is still heard
  f.apply(input::socket_ended{});
  CHECK_FALSE(f.one.wants_renewal());
}

TEST_CASE("an attempt waits 1 s, the next ones longer, until one is answered") {
  fixture f;
  const auto patience = [](const attachment_effects& effects) {
    const auto* ask = find<effect::ask_owner>(effects);
    return ask ? ask->patience : millis(0);
  };
  CHECK(patience(f.say()) == seconds(1));
  for (int i = 0; i < 3; ++i) {
    f.apply(input::unanswered{lane::frames, send_failure::timeout});
    CHECK(patience(f.wait(milliseconds(50))) == milliseconds(1'500));
  }
  f.apply(input::unanswered{lane::frames, send_failure::no_responders});
  CHECK(patience(f.wait(seconds(1))) == milliseconds(1'500));
  f.apply(input::answered{lane::frames, deferred{deferral::busy, 0}});
  CHECK(patience(f.wait(seconds(1))) == seconds(1));
}

TEST_CASE("an attachment that the database does not know attaches again under its id, then goes on") {
  fixture f;
  const auto again = f.apply(input::not_renewed{renewal_fault::unknown});
  REQUIRE(asked<attach>(again));
  CHECK(asked<attach>(again)->attachment == attachment_id("att_1"));
  CHECK(f.say().empty());
  CHECK(asked<hand_over>(f.apply(input::answered{lane::life, attached{session_id("ses_1"), 1}})));
  CHECK(asked<attach>(f.reply_frames(hand_over_status::unknown, 0)));
  CHECK(asked<hand_over>(f.apply(input::answered{lane::life, attached{session_id("ses_1"), 1}})));
}

TEST_CASE("an attach that is refused later ends the socket") {
  fixture f;
  f.apply(input::not_renewed{renewal_fault::unknown});
  const auto effects = f.apply(input::answered{lane::life, attach_refused{404, "not_found", 0}});
  REQUIRE(find<effect::close_socket>(effects));
  CHECK(find<effect::close_socket>(effects)->code == 4404);
  CHECK(find<effect::finished>(effects));
  CHECK(f.one.is_finished());
}

TEST_CASE("superseded: no more reading, the rest handed over, sealed, then 4001") {
  fixture f;
  f.say();
  f.say();
  const auto told = f.apply(input::ordered{1, supersede{attachment_id("att_1")}});
  CHECK(find<effect::answer_order>(told));
  CHECK(f.one.reading_is_over());
  f.say();
  CHECK(f.one.kept().last_number() == 2);
  CHECK(asked<hand_over>(f.reply_frames(hand_over_status::applied, 1)));
  const auto done = f.reply_frames(hand_over_status::applied, 2);
  REQUIRE(asked<seal>(done));
  CHECK(asked<seal>(done)->last_number == 2);
  const auto end = f.apply(input::answered{lane::life, noted{}});
  REQUIRE(find<effect::close_socket>(end));
  CHECK(find<effect::close_socket>(end)->code == 4001);
  CHECK(find<effect::finished>(end)->frames_lost == 0);
}

TEST_CASE("superseded while the owner is away: the socket is closed in time, the rest is still handed over") {
  fixture f;
  f.say();
  f.apply(input::ordered{1, supersede{attachment_id("att_1")}});
  f.apply(input::unanswered{lane::frames, send_failure::no_responders});
  CHECK(find<effect::close_socket>(f.wait(attachment::supersede_grace))->code == 4001);
  f.apply(input::socket_ended{});
  CHECK(asked<seal>(f.reply_frames(hand_over_status::applied, 1)));
}

TEST_CASE("a renewal can say that a newer attachment exists") {
  fixture f;
  CHECK(asked<seal>(f.apply(input::not_renewed{renewal_fault::superseded})));
}

TEST_CASE("what a renewal of before says of an attachment that ends changes nothing") {
  fixture f;
  CHECK(asked<detach>(f.apply(input::socket_ended{})));
  CHECK(f.apply(input::not_renewed{renewal_fault::unknown}).empty());
  CHECK(f.apply(input::not_renewed{renewal_fault::superseded}).empty());
  CHECK(find<effect::finished>(f.apply(input::answered{lane::life, noted{}}))->why == "detached");
}

TEST_CASE("unknown to the owner while its agent is told to go: it is heard out all the same") {
  fixture f;
  f.apply(input::drain{});
  CHECK(f.apply(input::not_renewed{renewal_fault::unknown}).empty());
  CHECK(f.one.wants_frames());
}

TEST_CASE("a sealed attachment stops at once and says what is lost") {
  fixture f;
  f.say();
  f.say();
  const auto end = f.reply_frames(hand_over_status::superseded, 0);
  CHECK(find<effect::close_socket>(end)->code == 4001);
  CHECK(find<effect::finished>(end)->frames_lost == 2);
}

TEST_CASE("the socket is gone: everything read is handed over, then detached with the last number") {
  fixture f;
  f.say();
  f.say();
  CHECK(f.apply(input::socket_ended{}).empty());
  CHECK(asked<hand_over>(f.reply_frames(hand_over_status::applied, 1)));
  const auto done = f.reply_frames(hand_over_status::applied, 2);
  REQUIRE(asked<detach>(done));
  CHECK(asked<detach>(done)->last_number == 2);
  f.apply(input::unanswered{lane::life, send_failure::timeout});
  CHECK(asked<detach>(f.wait(seconds(1))));
  const auto end = f.apply(input::answered{lane::life, noted{}});
  CHECK(find<effect::finished>(end));
  CHECK_FALSE(find<effect::close_socket>(end));
}

TEST_CASE("a dead socket's attachment is never attached again") {
  fixture f;
  f.say();
  f.apply(input::socket_ended{});
  const auto end = f.reply_frames(hand_over_status::unknown, 0);
  CHECK_FALSE(asked<attach>(end));
  CHECK(find<effect::finished>(end));
}

TEST_CASE("drain: told to go at once, heard until it has gone, all of it handed over, then detached") {
  fixture f;
  f.say();
  const auto told = f.apply(input::drain{});
  REQUIRE(find<effect::close_socket>(told));
  CHECK(find<effect::close_socket>(told)->code == 1001);
  CHECK(find<effect::close_socket>(told)->hear_out);
  CHECK(f.one.wants_frames());
  f.say();
  CHECK(asked<hand_over>(f.reply_frames(hand_over_status::applied, 1))->frames.size() == 1);
  CHECK_FALSE(asked<detach>(f.reply_frames(hand_over_status::applied, 2)));
  const auto written = f.apply(input::ordered{1, command});
  CHECK(find<effect::answer_order>(written)->outcome == order_outcome::not_written);
  const auto gone = f.apply(input::socket_ended{});
  CHECK(f.one.reading_is_over());
  REQUIRE(asked<detach>(gone));
  CHECK(asked<detach>(gone)->last_number == 2);
  CHECK(find<effect::finished>(f.apply(input::answered{lane::life, noted{}}))->frames_lost == 0);
}

TEST_CASE("drain of an agent that does not go: it is heard no longer than the drain lasts") {
  fixture f;
  f.say();
  CHECK(find<effect::close_socket>(f.apply(input::drain{})));
  CHECK_FALSE(find<effect::close_socket>(f.apply(input::drain_over{})));
  CHECK(f.one.reading_is_over());
  CHECK(asked<detach>(f.reply_frames(hand_over_status::applied, 1)));
}

TEST_CASE("drain and a newer attachment: sealed, not detached") {
  fixture f;
  f.say();
  f.apply(input::drain{});
  f.apply(input::ordered{1, supersede{attachment_id("att_1")}});
  CHECK(f.one.reading_is_over());
  CHECK(asked<seal>(f.reply_frames(hand_over_status::applied, 1)));
}

TEST_CASE("a command is written once and answered when it was") {
  fixture f;
  CHECK(find<effect::write_command>(f.apply(input::ordered{1, command})));
  CHECK(f.apply(input::ordered{2, command}).empty());
  const auto answers = f.apply(input::command_settled{command_id("cmd_1"), true});
  CHECK(answers.size() == 2);
  CHECK(find<effect::answer_order>(answers)->outcome == order_outcome::written);
  const auto repeat = f.apply(input::ordered{3, command});
  CHECK_FALSE(find<effect::write_command>(repeat));
  CHECK(find<effect::answer_order>(repeat)->outcome == order_outcome::written);
}

TEST_CASE("after the end of reading nothing is written any more") {
  fixture f;
  f.apply(input::ordered{1, supersede{attachment_id("att_1")}});
  const auto effects = f.apply(input::ordered{2, command});
  CHECK_FALSE(find<effect::write_command>(effects));
  CHECK(find<effect::answer_order>(effects)->outcome == order_outcome::not_written);
}

TEST_CASE("an order to close closes at once, hands over and detaches") {
  fixture f;
  f.say();
  const auto effects = f.apply(input::ordered{1, close_attachment{attachment_id("att_1"), 1008, "token revoked"}});
  CHECK(find<effect::close_socket>(effects)->code == 1008);
  f.apply(input::socket_ended{});
  CHECK(asked<detach>(f.reply_frames(hand_over_status::applied, 1)));
}

TEST_CASE("bad frames are complained about; the hundredth in 10 s closes with 1008") {
  fixture f;
  for (int i = 0; i < 99; ++i) {
    const auto effects = f.apply(input::bad_frame{"data is missing"});
    REQUIRE(effects.size() == 1);
    CHECK(find<effect::complain>(effects)->message == "data is missing");
  }
  CHECK(find<effect::close_socket>(f.apply(input::bad_frame{"x"}))->code == 1008);
  CHECK(f.one.reading_is_over());
}

TEST_CASE("a full outbox stops the reading until the owner has taken some") {
  fixture f;
  for (int i = 0; i < 4096; ++i) f.say();
  CHECK_FALSE(f.one.wants_frames());
  CHECK_FALSE(f.one.reading_is_over());
  f.reply_frames(hand_over_status::applied, 1);
  CHECK(f.one.wants_frames());
}
