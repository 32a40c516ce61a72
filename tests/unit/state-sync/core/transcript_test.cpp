#include "services/state-sync/core/transcript.hpp"

#include <string>

#include <doctest/doctest.h>

#include "common/base/utf.hpp"
#include "common/delta/patch.hpp"
#include "common/delta/text.hpp"

namespace throughline::state_sync {
namespace {

agent::message_added whole(const char* id, std::string text) {
  return {.message = message_id{id}, .content = delta::whole(std::move(text))};
}

agent::message_added change(const char* id, const std::string& from, const std::string& to) {
  return {.message = message_id{id}, .content = delta::delta_between(from, delta::hash_of(from), to)};
}

using outcome = transcript::outcome;

/// A viewer who applies every patch has what the transcript shows.
struct watched {
  transcript text;
  std::vector<entry> seen;

  void put(const agent::message_added& m) {
    text.put(m);
    if (text.pending()) delta::apply(seen, text.take_patches());
    CHECK(seen == text.visible());
  }
};

}  // namespace

TEST_CASE("growth is shown as what was added, in UTF-16 units") {
  transcript t;
  CHECK(t.put(whole("1", "😀 Hi")) == outcome::changed);
  t.take_patches();
  CHECK(t.put(change("1", "😀 Hi", "😀 Hi, you")) == outcome::changed);
  const auto set = t.take_patches();
  REQUIRE(set.patches.size() == 1);
  CHECK(set.patches[0].patch == ", you");
  CHECK(set.patches[0].patch_offset == 5);
  CHECK(set.patches[0].total_length == 10);
  CHECK(set.entry_count == 1);
}

TEST_CASE("several changes of an entry are one patch from the first byte that differs") {
  transcript t;
  t.put(whole("1", "abcdef"));
  t.take_patches();
  t.put(change("1", "abcdef", "abcdefgh"));
  t.put(change("1", "abcdefgh", "abcX"));
  t.put(change("1", "abcX", "abcXYZ"));
  const auto set = t.take_patches();
  REQUIRE(set.patches.size() == 1);
  CHECK(set.patches[0].patch_offset == 3);
  CHECK(set.patches[0].patch == "XYZ");
  CHECK(set.patches[0].total_length == 6);
}

TEST_CASE("the same content again is no change, in full or as a delta") {
  transcript t;
  t.put(whole("1", "same"));
  t.take_patches();
  CHECK(t.put(whole("1", "same")) == outcome::unchanged);
  agent::message_added again{.message = message_id{"1"}};
  again.content = {.base = text_delta::base_name{4, delta::hash_of("same")}, .keep = 2, .text = "me"};
  CHECK(t.put(again) == outcome::unchanged);
  CHECK_FALSE(t.pending());
}

TEST_CASE("a delta against another content does not fit and changes nothing") {
  transcript t;
  t.put(whole("1", "é"));
  t.take_patches();
  CHECK(t.put(change("1", "other", "other!")) == outcome::does_not_fit);
  CHECK(t.put(change("2", "other", "other!")) == outcome::does_not_fit);
  agent::message_added split{.message = message_id{"1"}};
  split.content = {.base = text_delta::base_name{2, delta::hash_of("é")}, .keep = 1, .text = "x"};
  CHECK(t.put(split) == outcome::does_not_fit);
  CHECK(t.visible() == std::vector<entry>{{.id = message_id{"1"}, .content = "é"}});
  CHECK_FALSE(t.pending());
}

TEST_CASE("entries stand in first-seen order, empty ones hidden at their place") {
  watched w;
  w.put(whole("b", ""));
  w.put(whole("a", "first shown"));
  w.put(whole("c", "after"));
  w.put(whole("b", "now before"));
  CHECK(w.seen[0].id == message_id{"b"});
  w.put(whole("a", ""));
  REQUIRE(w.seen.size() == 2);
  CHECK(w.seen[1].id == message_id{"c"});
  w.put(whole("c", ""));
  CHECK(w.seen.size() == 1);
  CHECK(w.text.silent().size() == 2);
}

TEST_CASE("what was stored comes back as it was") {
  transcript t;
  t.put(whole("x", ""));
  t.put(whole("y", "text"));
  t.put(whole("z", ""));
  t.put(whole("w", "more"));
  transcript again(t.visible(), t.silent(), false);
  CHECK(again.visible() == t.visible());
  REQUIRE(again.silent().size() == 2);
  CHECK(again.silent()[0].place == 0);
  CHECK(again.silent()[1].place == 2);
  CHECK(again.put(change("y", "text", "text!")) == outcome::changed);
  CHECK_FALSE(transcript(t.visible(), t.silent(), false).pending());
}

TEST_CASE("type and tool fields stay until they are given anew; a type nobody gave is read off the content") {
  transcript t;
  t.put({.message = message_id{"1"},
         .content = delta::whole("**Tool Call: ls**"),
         .tool_name = "ls",
         .tool_status = "Running"});
  CHECK(t.visible()[0].type == entry_type::tool_call);
  t.take_patches();
  t.put({.message = message_id{"1"}, .content = delta::whole("**Tool Call: ls**"), .tool_status = "Done"});
  CHECK(t.visible()[0].tool_name == "ls");
  CHECK(t.visible()[0].tool_status == "Done");
  const auto set = t.take_patches();
  REQUIRE(set.patches.size() == 1);
  CHECK(set.patches[0].patch.empty());
  CHECK(set.patches[0].patch_offset == 17);
  t.put({.message = message_id{"2"}, .type = entry_type::text, .content = delta::whole("**Tool Call: no**")});
  CHECK(t.visible()[1].type == entry_type::text);
}

TEST_CASE("a turn's content ends at its bound, cut on a character and marked") {
  transcript t;
  t.put(whole("1", std::string(turn_bytes_max - 20, 'a')));
  CHECK_FALSE(t.truncated());
  t.put(whole("2", "0123😀😀😀😀😀"));
  CHECK(t.truncated());
  const auto all = t.visible();
  REQUIRE(all.size() == 2);
  CHECK(all[1].content == std::string("0123") + truncation_mark);
  CHECK(t.bytes() <= turn_bytes_max);
  CHECK(is_utf8(all[1].content));
  CHECK(t.put(whole("3", "more")) == outcome::unchanged);
  CHECK(t.visible().size() == 2);
}

TEST_CASE("a turn that takes no more text still shows how its tool calls end") {
  watched w;
  auto call = whole("1", std::string(turn_bytes_max - 1, 'a'));
  call.tool_status = "In Progress";
  w.put(call);
  w.put(whole("2", std::string(100, 'b')));
  REQUIRE(w.text.truncated());
  call.content = delta::whole("not taken");
  call.tool_status = "Completed";
  w.put(call);
  REQUIRE(w.seen.size() == 1);
  CHECK(w.seen[0].tool_status == "Completed");
  CHECK(w.seen[0].content.size() == turn_bytes_max - 1);
}

TEST_CASE("the entries of a turn are bounded, empty ones too") {
  transcript t;
  for (std::size_t i = 0; i < turn_entries_max; ++i) t.put(whole(std::to_string(i).c_str(), i % 2 ? "x" : ""));
  CHECK_FALSE(t.truncated());
  CHECK(t.put(whole("one more", "")) == outcome::unchanged);
  CHECK(t.truncated());
  CHECK_FALSE(t.has(message_id{"one more"}));
}

TEST_CASE("digests tell contents apart and know their lengths") {
  transcript t;
  t.put(whole("1", "a"));
  t.put(change("1", "a", "ab"));
  t.put(whole("2", ""));
  const auto digests = t.digests();
  REQUIRE(digests.size() == 1);
  CHECK(digests[0].length == 2);
  CHECK(digests[0].hash == delta::hash_of("ab"));
  CHECK(t.content_of(message_id{"1"}, 2, delta::hash_of("ab")) != nullptr);
  CHECK(t.content_of(message_id{"1"}, 2, delta::hash_of("ac")) == nullptr);
}

}  // namespace throughline::state_sync
