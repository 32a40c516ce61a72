#include "services/gateway/core/followed_answer.hpp"

#include <doctest/doctest.h>

#include "common/codec/render.hpp"

using namespace throughline;
using namespace throughline::gateway;
using kind = answer_chunk::kind;

namespace {

const interaction_id mine("int_01h2xcejqtf2nbrexx3vqjhp41");
const interaction_id other("int_01h2xcejqtf2nbrexx3vqjhp42");

entry_patch text(std::size_t index, std::string patch, std::size_t offset, std::size_t total) {
  return {.index = index,
          .id = message_id(std::to_string(index)),
          .type = entry_type::text,
          .patch = std::move(patch),
          .patch_offset = offset,
          .total_length = total};
}
entry_patch tool(std::size_t index, std::string patch) {
  auto p = text(index, patch, 0, patch.size());
  p.type = entry_type::tool_call;
  return p;
}

std::shared_ptr<interaction> record(turn_state state, std::vector<std::string> texts = {}) {
  auto out = std::make_shared<interaction>();
  out->id = mine;
  out->state = state;
  for (auto& t : texts) out->entries.push_back({message_id("m"), entry_type::text, std::move(t), {}, {}});
  return out;
}

codec::answer_event patch_event(std::uint64_t seq, patch_set set, const interaction_id& of = mine) {
  return {.kind = event_kind::interaction_patch,
          .at = {1, seq},
          .interaction = of,
          .patches = std::move(set),
          .patch_list = "[list " + std::to_string(seq) + "]"};
}
codec::answer_event update(std::uint64_t seq, std::shared_ptr<interaction> what) {
  return {.kind = event_kind::interaction_update, .at = {1, seq}, .interaction = mine, .record = std::move(what)};
}
codec::answer_event session_event(std::uint64_t seq, std::vector<interaction_id> queue,
                                  std::string agent = "ready t a") {
  return {.kind = event_kind::session_update, .at = {1, seq}, .agent = std::move(agent), .queue = std::move(queue)};
}

answer_reading running(std::uint64_t seq, std::vector<std::string> texts = {}) {
  return {{1, seq}, record(turn_state::waiting, std::move(texts)), {.began = 3}};
}

}  // namespace

TEST_CASE("the opening chunk has all there is, and each event of the answer makes one more") {
  followed_answer a(mine);
  auto out = a.restart(running(5, {"Hello"}));
  REQUIRE(out.size() == 1);
  CHECK(out[0].what == kind::reset);
  CHECK(out[0].at == position{1, 5});
  CHECK(out[0].content == "Hello");
  CHECK(out[0].patch_list.starts_with(R"([{"index":0,)"));
  out = a.event(patch_event(6, {{text(0, " you", 5, 9)}, 1}));
  REQUIRE(out.size() == 1);
  CHECK(out[0].what == kind::part);
  CHECK(out[0].content == " you");
  CHECK(out[0].patch_list == "[list 6]");
  CHECK(a.event(patch_event(7, {{text(0, "x", 0, 1)}, 1}, other)).empty());
  CHECK(a.event(patch_event(6, {{text(0, " you", 5, 9)}, 1})).empty());  // seen
  out = a.event(update(8, record(turn_state::complete, {"Hello you"})));
  REQUIRE(out.size() == 1);
  CHECK(out[0].what == kind::finished);
  CHECK(out[0].at == position{1, 8});
  CHECK(a.over());
  CHECK(a.event(update(9, record(turn_state::complete))).empty());
}

TEST_CASE("content is said only of what appends to the newest entry, or opens one, and is text") {
  auto end = text_end::none();
  CHECK(end.take({{text(0, "one", 0, 3)}, 1}) == "one");
  CHECK(end.take({{text(0, " and", 3, 7)}, 1}) == " and");
  CHECK(end.take({{text(1, "two", 0, 3)}, 2}) == "\n\ntwo");
  CHECK_FALSE(end.take({{text(0, " late", 7, 12)}, 2}));                   // not the newest
  CHECK_FALSE(end.take({{text(1, "Two", 0, 3)}, 2}));                      // a correction
  CHECK_FALSE(end.take({{text(1, "!", 3, 4), text(0, "x", 12, 13)}, 2}));  // two at once
  CHECK(end.take({{text(1, "?", 4, 5)}, 2}) == "?");
  CHECK_FALSE(end.take({{tool(2, "**ls**")}, 3}));
  CHECK(end.take({{text(3, "three", 0, 5)}, 4}) == "\n\nthree");
  CHECK_FALSE(end.take({{}, 3}));                        // cut
  CHECK_FALSE(end.take({{text(2, "more", 6, 10)}, 3}));  // its length was not said since
  CHECK(end.take({{text(2, "!", 10, 11)}, 3}) == "!");
}

TEST_CASE("a chunk says how many entries there are where the list may have become shorter") {
  followed_answer a(mine);
  (void)a.restart(running(5, {"one", "two"}));
  CHECK_FALSE(a.event(patch_event(6, {{text(2, "three", 0, 5)}, 3}))[0].entry_count);
  CHECK(a.event(patch_event(7, {{}, 2}))[0].entry_count == 2);
  CHECK_FALSE(a.event(patch_event(8, {{text(1, "two", 0, 3)}, 2}))[0].entry_count);
  followed_answer b(mine);
  (void)b.resume({1, 6}, text_end::unknown(), running(9));
  CHECK(b.event(patch_event(7, {{text(0, "x", 0, 1)}, 3}))[0].entry_count == 3);
  CHECK_FALSE(b.event(patch_event(8, {{text(0, "y", 0, 1)}, 3}))[0].entry_count);
}

TEST_CASE("lengths are UTF-16 units") {
  auto end = text_end::of({{message_id("1"), entry_type::text, "📤", {}, {}}});
  CHECK(end.take({{text(0, "!", 2, 3)}, 1}) == "!");
}

TEST_CASE("an unknown end gives no content until an event tells it") {
  auto end = text_end::unknown();
  CHECK_FALSE(end.take({{text(1, "a", 7, 8)}, 2}));
  CHECK(end.is_known());
  CHECK(end.take({{text(1, "b", 8, 9)}, 2}) == "b");
}

TEST_CASE("a resumed stream goes on after its position, without a repeat") {
  followed_answer a(mine);
  auto out = a.resume({1, 6}, text_end::of({{message_id("1"), entry_type::text, "Hello", {}, {}}}), running(9));
  REQUIRE(out.size() == 1);
  CHECK(out[0].what == kind::resumed);
  CHECK(out[0].at == position{1, 6});
  CHECK_FALSE(out[0].content);
  CHECK(a.event(patch_event(6, {{text(0, "lo", 3, 5)}, 1})).empty());
  out = a.event(patch_event(7, {{text(0, "!", 5, 6)}, 1}));
  REQUIRE(out.size() == 1);
  CHECK(out[0].content == "!");
}

TEST_CASE("a resume at or after the end gets only the end") {
  auto found = running(9);
  found.record = record(turn_state::complete, {"Hello"});
  found.place.ended = {1, 8};
  for (const std::uint64_t since : {8u, 9u}) {
    followed_answer a(mine);
    const auto out = a.resume({1, since}, text_end::none(), found);
    REQUIRE(out.size() == 1);
    CHECK(out[0].what == kind::finished);
    CHECK(out[0].at == position{1, 8});
    CHECK(a.over());
  }
}

TEST_CASE("a turn that has ended is told in full, and ends") {
  followed_answer a(mine);
  auto found = running(9);
  found.record = record(turn_state::complete, {"Hello", "you"});
  found.place.ended = {1, 8};
  const auto out = a.restart(found);
  REQUIRE(out.size() == 2);
  CHECK(out[0].content == "Hello\n\nyou");
  CHECK(out[1].what == kind::finished);
  CHECK(out[1].at == position{1, 8});
}

TEST_CASE("a failed turn says which way, and why") {
  followed_answer a(mine);
  a.restart(running(5));
  auto failed = record(turn_state::error);
  failed->error = "out of tokens";
  auto out = a.event(update(6, failed));
  REQUIRE(out.size() == 1);
  CHECK(out[0].what == kind::failed);
  CHECK(out[0].why.code == "turn_error");
  CHECK(out[0].why.message == "out of tokens");
  followed_answer b(mine);
  b.restart(running(5));
  CHECK(b.event(update(6, record(turn_state::interrupted)))[0].why.code == "turn_interrupted");
}

TEST_CASE("a queued prompt is waited for, and its cancel ends the wait") {
  followed_answer a(mine);
  auto out = a.restart({{1, 5}, nullptr, {.queued = true}});
  REQUIRE(out.size() == 1);
  CHECK(out[0].content == "");
  CHECK(out[0].patch_list == "[]");
  CHECK(a.event(session_event(6, {other, mine})).empty());
  SUBCASE("dispatched: leaving the queue is then no end") {
    CHECK(a.event(update(7, record(turn_state::waiting))).size() == 1);
    CHECK(a.event(session_event(8, {other})).empty());
    CHECK_FALSE(a.over());
  }
  SUBCASE("cancelled") {
    out = a.event(session_event(7, {other}));
    REQUIRE(out.size() == 1);
    CHECK(out[0].why.code == "turn_interrupted");
    CHECK(out[0].at == position{1, 7});
    CHECK(a.over());
  }
}

TEST_CASE("a replay from before the prompt was queued is not taken for its cancel") {
  followed_answer a(mine);
  a.resume({1, 2}, text_end::none(), {{1, 6}, nullptr, {.queued = true}});
  CHECK(a.event(session_event(3, {})).empty());
  CHECK(a.event(session_event(5, {mine})).empty());
  CHECK(a.event(session_event(7, {})).size() == 1);
  followed_answer b(mine);
  b.resume({1, 2}, text_end::none(), {{1, 6}, nullptr, {.ended = {1, 5}}});
  CHECK(b.event(session_event(3, {})).empty());
  CHECK(b.event(session_event(5, {})).size() == 1);
}

TEST_CASE("a change of the agent's status is no progress, everything else is") {
  followed_answer a(mine);
  a.restart(running(5));
  a.event(session_event(6, {}, "ready t1 a"));
  CHECK(a.take_progress());
  CHECK_FALSE(a.take_progress());
  a.event(session_event(7, {}, "offline t2 a"));
  CHECK_FALSE(a.take_progress());
  a.event(session_event(8, {other}, "offline t2 a"));
  CHECK(a.take_progress());
  a.event(patch_event(9, {{text(0, "x", 0, 1)}, 1}, other));
  CHECK(a.take_progress());
}
