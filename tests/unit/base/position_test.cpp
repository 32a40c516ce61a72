#include "common/base/position.hpp"

#include <doctest/doctest.h>

using namespace throughline;

TEST_CASE("a position is written and read back") {
  CHECK(to_text({1, 42}) == "1:42");
  CHECK(parse_position("1:42") == position{1, 42});
  CHECK(parse_position("7:0") == position{7, 0});
  CHECK(parse_position("18446744073709551615:18446744073709551615").has_value());
}

TEST_CASE("anything but two decimal numbers is no position") {
  for (const char* text : {"", ":", "1", "1:", ":1", "0:1", "-1:1", "1:-1", "+1:1", " 1:1", "1:1 ", "1:1:1", "a:1",
                           "1:0x1", "01:2", "1:02", "1:00", "18446744073709551616:1", "1:18446744073709551616"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_position(text));
  }
}

TEST_CASE("positions are ordered by epoch, then by seq") {
  CHECK(position{1, 9} < position{2, 1});
  CHECK(position{2, 1} < position{2, 2});
}
