#include "common/delta/patch.hpp"

#include <doctest/doctest.h>

#include "common/base/ulid.hpp"
#include "common/base/utf.hpp"

using namespace throughline;
using namespace throughline::delta;

namespace {

entry text_entry(const char* id, std::string content) {
  return {message_id(id), entry_type::text, std::move(content), "", ""};
}
entry tool_entry(const char* id, std::string content, const char* status) {
  return {message_id(id), entry_type::tool_call, std::move(content), "ls", status};
}

std::string random_text(id_source& ids) {
  const std::string_view alphabet[] = {"a", "b", "é", "✅", "📤", "📥"};
  std::string out;
  for (auto n = ids.next() % 9; n > 0; --n) out += alphabet[ids.next() % 6];
  return out;
}

entry random_entry(id_source& ids) {
  const auto id = std::to_string(ids.next() % 4);
  if (ids.next() % 3 == 0) return tool_entry(id.c_str(), random_text(ids), ids.next() % 2 == 0 ? "Running" : "Done");
  return text_entry(id.c_str(), random_text(ids));
}

void change(std::vector<entry>& list, id_source& ids) {
  const auto at = list.empty() ? 0 : ids.next() % list.size();
  const auto place = list.begin() + static_cast<std::ptrdiff_t>(at);
  switch (ids.next() % 6) {
    case 0:
      return static_cast<void>(list.insert(place, random_entry(ids)));
    case 1:
      return list.empty() ? void() : static_cast<void>(list.erase(place));
    case 2:
      return list.resize(ids.next() % (list.size() + 1));
    case 3:
      return list.empty() ? void() : static_cast<void>(list[at] = random_entry(ids));
    default:
      if (list.empty()) list.push_back(random_entry(ids));
      list.back().content += random_text(ids);
  }
}

}  // namespace

TEST_CASE("offsets of one text to the next, in UTF-16 units") {
  struct vector {
    const char* before;
    const char* now;
    std::size_t offset;
    const char* patch;
    std::size_t total;
  };
  const vector vectors[] = {
      {"✅ Tool: Running", "✅ Tool: Finished", 8, "Finished", 16},
      {"📤 desktop/Status: Pending", "📤 desktop/Status: Complete", 19, "Complete", 27},
      {"✅ Hello", "✅ Hello world", 7, " world", 13},
      {"same", "same", 4, "", 4},
      {"", "new", 0, "new", 3},
      {"Hello", "World!!", 0, "World!!", 7},
      {"Hello world", "Hello", 5, "", 5},
      {"a📤b", "a📥b", 1, "📥b", 4},
  };
  for (const auto& v : vectors) {
    CAPTURE(v.before);
    const auto p = patch_of(0, text_entry("1", v.before), text_entry("1", v.now));
    CHECK(p.patch_offset == v.offset);
    CHECK(p.patch == v.patch);
    CHECK(p.total_length == v.total);
    std::vector<entry> list = {text_entry("1", v.before)};
    apply(list, {{p}, 1});
    CHECK(list[0].content == v.now);
  }
}

TEST_CASE("unchanged entries give no patch; a status alone gives one without text") {
  const std::vector<entry> before = {text_entry("1", "one"), tool_entry("2", "**Tool Call: ls**", "Running")};
  CHECK_FALSE(changes(2, diff(before, before)));
  auto after = before;
  after[1].tool_status = "Completed";
  const auto set = diff(before, after);
  REQUIRE(set.patches.size() == 1);
  CHECK(set.patches[0].index == 1);
  CHECK(set.patches[0].patch.empty());
  CHECK(set.patches[0].patch_offset == 17);
  CHECK(set.patches[0].tool_status == "Completed");
  CHECK(set.entry_count == 2);
}

TEST_CASE("a shorter list shows in the count alone") {
  const std::vector<entry> before = {text_entry("1", "one"), text_entry("2", "two")};
  const std::vector<entry> after = {text_entry("1", "one")};
  const auto set = diff(before, after);
  CHECK(set.patches.empty());
  CHECK(changes(2, set));
  auto list = before;
  apply(list, set);
  CHECK(list == after);
}

TEST_CASE("an entry that grew is patched without a look at the rest") {
  auto e = text_entry("1", "📤 a");
  const auto p = grown(3, e, 0, "📤 a");
  CHECK(p.patch_offset == 0);
  CHECK(p.total_length == 4);
  e.content += "✅📥";
  const auto q = grown(3, e, p.total_length, "✅📥");
  CHECK(q == patch_of(3, text_entry("1", "📤 a"), e));
}

TEST_CASE("the baseline has everything in full") {
  const std::vector<entry> entries = {text_entry("1", "📤"), tool_entry("2", "t", "Running")};
  const auto set = full(entries);
  REQUIRE(set.patches.size() == 2);
  CHECK(set.patches[0].patch_offset == 0);
  CHECK(set.patches[0].total_length == 2);
  std::vector<entry> list = {text_entry("9", "other"), text_entry("8", "old"), text_entry("7", "gone")};
  apply(list, set);
  CHECK(list == entries);
}

TEST_CASE("a patch beyond its list is harmless") {
  std::vector<entry> list;
  entry_patch p;
  p.index = 5;
  p.patch = "x";
  p.total_length = 1;
  apply(list, {{p}, 2});
  CHECK(list.size() == 2);
  p.index = 1;
  p.patch_offset = 100;
  apply(list, {{p}, 2});
  CHECK(list[1].content == "x");
}

TEST_CASE("any list leads to any other") {
  id_source ids(11);
  std::vector<entry> shown;
  for (int i = 0; i < 20000; ++i) {
    auto after = shown;
    for (auto n = ids.next() % 3; n > 0; --n) change(after, ids);
    const auto set = diff(shown, after);
    REQUIRE(changes(shown.size(), set) == (shown != after));
    for (const auto& p : set.patches) {
      REQUIRE(p.total_length == p.patch_offset + utf16_length(p.patch));
    }
    apply(shown, set);
    REQUIRE(shown == after);
    if (shown.size() > 8) shown.clear();
  }
}
