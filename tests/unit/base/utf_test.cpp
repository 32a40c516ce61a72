#include "common/base/utf.hpp"

#include <doctest/doctest.h>

using namespace throughline;

TEST_CASE("UTF-16 length counts astral characters twice") {
  CHECK(utf16_length("") == 0);
  CHECK(utf16_length("abc") == 3);
  CHECK(utf16_length("é✅") == 2);
  CHECK(utf16_length("📤") == 2);
  CHECK(utf16_length("a📤b") == 4);
  std::string text;
  for (std::size_t units = 0; units < 1000; units += 4) {
    CHECK(utf16_length(text) == units);
    text += "✅📤a";
  }
  text.clear();
  for (int i = 0; i < 100; ++i) text += "📤";
  CHECK(utf16_length(text) == 200);
}

TEST_CASE("a cut never splits a code point") {
  const std::string_view text = "aé✅📤";  // 1 + 2 + 3 + 4 bytes
  const std::size_t floors[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
  for (std::size_t i = 0; i < 12; ++i) CHECK(code_point_floor(text, i) == floors[i]);
}

TEST_CASE("a common prefix ends between code points") {
  CHECK(common_prefix("", "x") == 0);
  CHECK(common_prefix("abc", "abd") == 2);
  CHECK(common_prefix("abc", "abcd") == 3);
  CHECK(common_prefix("a📤", "a📥") == 1);
  CHECK(common_prefix("✅ Running", "✅ Finished") == 4);
  CHECK(common_prefix("é", "è") == 0);
}

TEST_CASE("UTF-16 offsets become byte offsets") {
  CHECK(utf16_to_bytes("a📤b", 0) == 0);
  CHECK(utf16_to_bytes("a📤b", 1) == 1);
  CHECK(utf16_to_bytes("a📤b", 2) == 1);
  CHECK(utf16_to_bytes("a📤b", 3) == 5);
  CHECK(utf16_to_bytes("a📤b", 99) == 6);
}

TEST_CASE("what a database or a browser must not get is stripped, and nothing else") {
  const auto stripped = [](std::string text) {
    sanitise(text);
    return text;
  };
  CHECK(stripped(std::string("a\0b", 3)) == "ab");
  CHECK(stripped("\x01\x08\x0b\x1f") == "");
  CHECK(stripped("tab\tline\nreturn\r") == "tab\tline\nreturn\r");
  CHECK(stripped("\x7f") == "\x7f");
  CHECK(stripped("x\xC2\x80y\xC2\x9Fz\xC2\xA0") == "xyz\xC2\xA0");
  CHECK(stripped("\xEF\xBF\xBE|\xEF\xBF\xBF|\xEF\xBF\xBD|\xEF\xBB\xBF") == "||\xEF\xBF\xBD|\xEF\xBB\xBF");
  CHECK(stripped("©✅📤ﬁ") == "©✅📤ﬁ");
}

TEST_CASE("stripping works the same wherever in a long text it is needed") {
  for (std::size_t at = 0; at < 600; ++at) {
    std::string text(600, 'x');
    std::string expected = text;
    text.insert(at, "\xC2\x85");
    CHECK(sanitise(text));
    CHECK(text == expected);
    std::string astral = expected.substr(0, at) + "📤\x02" + expected.substr(at);
    CHECK(sanitise(astral));
    CHECK(astral == expected.substr(0, at) + "📤" + expected.substr(at));
  }
  std::string clean(1000, 'y');
  CHECK_FALSE(sanitise(clean));
}

TEST_CASE("well-formed UTF-8 is told from the rest") {
  CHECK(is_utf8("aé✅📤"));
  for (const char* bad : {"\x80", "\xC0\xAF", "\xC3", "\xE2\x9C", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE0\x80\x80",
                          "\xF0\x80\x80\x80", "\xFF"}) {
    CHECK_FALSE(is_utf8(bad));
  }
}
