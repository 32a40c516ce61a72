#include "services/agent-bridge/core/outbox.hpp"

#include <doctest/doctest.h>

#include "common/delta/text.hpp"

using namespace throughline;
using agent_bridge::outbox;
using agent_bridge::outbox_limits;

namespace {

agent::message_added said(std::string message, std::string content, std::string request = "int_1") {
  return {.thread = thread_id("t"),
          .message = message_id(std::move(message)),
          .type = entry_type::text,
          .content = delta::whole(std::move(content)),
          .request = request_id(std::move(request))};
}

agent::message_completed completed() {
  return {.thread = thread_id("t"), .request = request_id("int_1")};
}

const text_delta& content_of(const numbered_frame& frame) {
  return std::get<agent::message_added>(*frame.event).content;
}

}  // namespace

TEST_CASE("frames are numbered from 1 and leave in order") {
  outbox box;
  box.add(said("1", "a"));
  box.add(completed());
  const auto batch = box.batch();
  REQUIRE(batch.size() == 2);
  CHECK(batch[0].number == 1);
  CHECK(batch[1].number == 2);
  CHECK(box.acknowledge(2));
  CHECK(box.empty());
  CHECK(box.bytes() == 0);
}

TEST_CASE("an update of the open frame replaces it, and only that") {
  outbox box;
  CHECK_FALSE(box.add(said("1", "a")));
  CHECK(box.add(said("1", "ab")));
  CHECK_FALSE(box.add(said("2", "x")));          // another entry
  CHECK_FALSE(box.add(said("1", "abc")));        // not adjacent
  CHECK_FALSE(box.add(said("1", "abcd", "r")));  // another request
  CHECK(box.frames() == 4);
  const auto batch = box.batch();
  CHECK(content_of(batch[0]).text == "ab");
  CHECK_FALSE(box.add(said("1", "abcde", "r")));  // the frame before is on the wire
  CHECK(box.last_number() == 5);
}

TEST_CASE("a change of tool status is not merged away") {
  outbox box;
  auto call = said("1", "run");
  call.type = entry_type::tool_call;
  call.tool_status = "pending";
  box.add(call);
  call.tool_status = "completed";
  CHECK_FALSE(box.add(call));
}

TEST_CASE("an entry travels as its change against what was forwarded last") {
  outbox box;
  box.add(said("1", "hello"));
  const auto first = box.batch();
  CHECK_FALSE(content_of(first[0]).base);
  box.add(said("1", "hello world"));
  const auto batch = box.batch();
  REQUIRE(batch.size() == 2);
  CHECK(batch[0].event.has_value());
  const auto& change = content_of(batch[1]);
  REQUIRE(change.base);
  CHECK(change.base->length == 5);
  CHECK(change.base->hash == delta::hash_of("hello"));
  CHECK(change.keep == 5);
  CHECK(change.text == " world");
}

TEST_CASE("a full content stands in for the changes after it") {
  outbox box;
  box.add(said("1", "a"));
  (void)box.batch();
  REQUIRE(box.acknowledge(1));
  box.add(said("1", "ab"));
  box.add(completed());
  box.add(said("1", "abc"));
  (void)box.batch();
  box.add(said("1", "abcx"));
  (void)box.batch();
  box.add(said("1", "abcxd"));  // open: goes on from what the full content says
  REQUIRE(box.need_full(2));
  const auto batch = box.batch();
  REQUIRE(batch.size() == 5);
  CHECK(content_of(batch[0]) == delta::whole("abcx"));
  CHECK(batch[1].event.has_value());
  CHECK_FALSE(batch[2].event.has_value());
  CHECK(content_of(batch[3]) == delta::whole("abcx"));
  CHECK(batch[3].number == 5);
  CHECK(content_of(batch[4]).text == "d");
  CHECK(content_of(batch[4]).base->hash == delta::hash_of("abcx"));
}

TEST_CASE("need_full for what is not a sent change is refused") {
  outbox box;
  box.add(completed());
  box.add(said("1", "a"));
  CHECK_FALSE(box.need_full(1));  // not sent
  (void)box.batch();
  CHECK_FALSE(box.need_full(1));  // no message
  CHECK(box.need_full(2));        // whole already
  CHECK_FALSE(box.need_full(3));
}

TEST_CASE("answers that do not fit are not taken") {
  outbox box;
  box.add(completed());
  box.add(completed());
  CHECK_FALSE(box.acknowledge(1));  // never sent
  (void)box.batch();
  CHECK(box.acknowledge(1));
  CHECK_FALSE(box.acknowledge(0));
  CHECK(box.frames() == 1);
}

TEST_CASE("it is full at its bounds and takes up again below them") {
  outbox box({.bytes_max = 1000, .frames_max = 3});
  box.add(completed());
  box.add(completed());
  CHECK_FALSE(box.full());
  box.add(completed());
  CHECK(box.full());
  (void)box.batch();
  box.acknowledge(1);
  CHECK_FALSE(box.full());
  box.add(said("1", std::string(1000, 'x')));
  box.acknowledge(3);
  CHECK(box.full());
}

TEST_CASE("a batch is bounded but never empty") {
  outbox box({.batch_bytes_max = 600, .batch_frames_max = 2});
  box.add(said("1", std::string(5000, 'x')));
  for (int i = 0; i < 3; ++i) box.add(completed());
  CHECK(box.batch().size() == 1);
  box.acknowledge(1);
  CHECK(box.batch().size() == 2);
}

TEST_CASE("contents beyond the bound of bases travel whole, and stay recoverable") {
  outbox box({.base_bytes_max = 10});
  box.add(said("1", "12345678"));
  (void)box.batch();
  box.add(said("2", "abcdefgh"));  // no room: 1 is not committed yet
  box.add(said("2", "abcdefghi", "other"));
  const auto batch = box.batch();
  CHECK_FALSE(content_of(batch[1]).base);
  CHECK(content_of(batch[1]).text == "abcdefgh");
  CHECK(box.base_bytes() == 8);
  box.acknowledge(3);
  box.add(said("3", "ABCDEFGH"));  // 1 may go now
  box.add(said("3", "ABCDEFGHI"));
  CHECK(content_of(box.batch()[0]).text == "ABCDEFGHI");
  CHECK(box.base_bytes() == 9);
}

TEST_CASE("a whole frame behind a lost base keeps its bytes; the change before it brings the same content") {
  outbox box({.base_bytes_max = 10});
  box.add(said("1", "1234"));
  (void)box.batch();
  box.acknowledge(1);
  box.add(said("1", "12345"));  // a change
  (void)box.batch();
  box.add(said("1", "123456789012"));  // too long for a base: whole
  (void)box.batch();
  REQUIRE(box.need_full(2));
  const auto batch = box.batch();
  CHECK(content_of(batch[0]) == delta::whole("123456789012"));
  CHECK(content_of(batch[1]) == delta::whole("123456789012"));
}

TEST_CASE("an agent's own numbers travel with its frames; one that is merged takes the newer") {
  outbox box;
  box.add(said("1", "a"), 11);
  box.add(said("1", "ab"), 12);
  box.add(completed(), 13);
  const auto batch = box.batch();
  REQUIRE(batch.size() == 2);
  CHECK(batch[0].agent_seq == 12);
  CHECK(batch[1].agent_seq == 13);
  CHECK(box.acknowledged_agent_seq() == 0);
  CHECK(box.acknowledge(1));
  CHECK(box.acknowledged_agent_seq() == 12);
  CHECK(box.acknowledge(2));
  CHECK(box.acknowledged_agent_seq() == 13);
}

TEST_CASE("the number of a frame without effect goes with a frame that was never sent, or in one of its own") {
  outbox box;
  box.add(said("1", "a"), 1);
  box.add_number(2);
  CHECK(box.frames() == 1);
  CHECK(box.add(said("1", "ab"), 3));  // still open
  const auto sent = box.batch();
  CHECK(sent[0].agent_seq == 3);
  box.add_number(4);
  box.add_number(5);
  CHECK(box.frames() == 2);
  CHECK(box.batch()[0].agent_seq == 3);  // what is on the wire keeps its bytes
  const auto again = box.batch();
  CHECK_FALSE(again[1].event.has_value());
  CHECK(again[1].agent_seq == 5);
  CHECK(box.bytes() > 0);
  CHECK(box.acknowledge(2));
  CHECK(box.acknowledged_agent_seq() == 5);
  CHECK(box.bytes() == 0);
}

TEST_CASE("need_full moves contents, not numbers") {
  outbox box;
  box.add(said("1", "a"), 1);
  box.batch();
  CHECK(box.acknowledge(1));
  box.add(said("1", "ab"), 2);
  box.batch();
  box.add(said("1", "abc"), 3);
  box.batch();
  box.add(said("1", "abcd"), 4);
  box.batch();
  CHECK(box.need_full(2));
  const auto batch = box.batch();
  REQUIRE(batch.size() == 3);
  CHECK(batch[0].agent_seq == 2);
  CHECK(content_of(batch[0]).text == "abcd");
  CHECK_FALSE(batch[1].event.has_value());
  CHECK(batch[1].agent_seq == 3);
  CHECK(batch[2].agent_seq == 4);
}
