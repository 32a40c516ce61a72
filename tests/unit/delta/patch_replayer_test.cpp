#include "common/delta/patch_replayer.hpp"

#include <random>
#include <string>

#include <doctest/doctest.h>

#include "common/base/utf.hpp"
#include "common/delta/patch.hpp"

using namespace throughline;

namespace {

entry text(std::string content) {
  return {message_id("m"), entry_type::text, std::move(content), "", ""};
}

patch_set one(std::size_t offset, std::string added, std::size_t total) {
  entry_patch p;
  p.id = message_id("m");
  p.patch_offset = offset;
  p.patch = std::move(added);
  p.total_length = total;
  patch_set set;
  set.patches = {p};
  set.entry_count = 1;
  return set;
}

/// The rule as a browser has it: from the start of the text.
std::string by_prefix(std::string content, const entry_patch& p) {
  content.resize(utf16_to_bytes(content, p.patch_offset));
  content += p.patch;
  content.resize(utf16_to_bytes(content, p.total_length));
  return content;
}

}  // namespace

TEST_CASE("appending, replacing an end, and cutting count units and not bytes") {
  delta::patch_replayer r({text("a😀é")});
  r.apply(one(4, "x", 5));
  CHECK(r.entries()[0].content == "a😀éx");
  r.apply(one(3, "", 3));
  CHECK(r.entries()[0].content == "a😀");
  r.apply(one(3, "éé", 5));
  CHECK(r.entries()[0].content == "a😀éé");
}

TEST_CASE("an offset or a length inside a pair rounds down, one behind the end keeps all") {
  delta::patch_replayer r({text("a😀b")});
  r.apply(one(2, "z", 2));
  CHECK(r.entries()[0].content == "az");
  r.apply(one(9, "😀", 10));
  CHECK(r.entries()[0].content == "az😀");
  r.apply(one(9, "b", 3));
  CHECK(r.entries()[0].content == "az");
}

TEST_CASE("entries come and go with the count, and those that come back begin empty") {
  delta::patch_replayer r;
  auto two = one(0, "first", 5);
  two.entry_count = 2;
  two.patches.push_back(two.patches[0]);
  two.patches[1].index = 1;
  r.apply(two);
  REQUIRE(r.entries().size() == 2);
  auto none = one(5, "", 5);
  none.patches.clear();
  r.apply(none);
  CHECK(r.entries().size() == 1);
  two.patches[0].patch_offset = 5;
  two.patches[0].total_length = 10;
  r.apply(two);
  CHECK(r.entries()[0].content == "firstfirst");
  CHECK(r.entries()[1].content == "first");
  auto beyond = one(0, "ignored", 7);
  beyond.patches[0].index = 1;
  r.apply(beyond);
  CHECK(std::move(r).take()[0].content == "firstfirst");
}

TEST_CASE("any sequence of patches gives what applying each from the start gives") {
  const std::string pieces[] = {"a", "é", "中", "😀", "plain words", ""};
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    delta::patch_replayer r({text("")});
    std::string expected;
    for (int step = 0; step < 200; ++step) {
      const auto units = utf16_length(expected);
      const std::size_t offset = random() % 4 == 0 ? random() % (units + 3) : units;
      const auto& piece = pieces[random() % std::size(pieces)];
      const auto whole = offset + utf16_length(piece);
      const auto set = one(offset, piece, random() % 5 == 0 ? random() % (whole + 1) : whole);
      expected = by_prefix(std::move(expected), set.patches[0]);
      r.apply(set);
      REQUIRE_MESSAGE(r.entries()[0].content == expected, "seed " << seed << " step " << step);
    }
  }
}
