#include "common/codec/time_text.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::codec;

TEST_CASE("an instant is written in full and read back") {
  const instant at{micros(1'786'183'200'123'456)};
  CHECK(time_text(at) == "2026-08-08T10:00:00.123456Z");
  CHECK(parse_time("2026-08-08T10:00:00.123456Z") == at);
  CHECK(time_text(instant{}) == "1970-01-01T00:00:00.000000Z");
  CHECK(time_text(instant{micros(-1)}) == "1969-12-31T23:59:59.999999Z");
  CHECK(parse_time("1969-12-31T23:59:59.999999Z") == instant{micros(-1)});
  CHECK(parse_time("2024-02-29T23:59:59Z").has_value());
}

TEST_CASE("fractions of any usual length are taken") {
  const auto base = parse_time("2026-08-08T10:00:09Z").value();
  CHECK(parse_time("2026-08-08T10:00:09.5Z") == base + micros(500'000));
  CHECK(parse_time("2026-08-08T10:00:09.000001Z") == base + micros(1));
  CHECK(parse_time("2026-08-08T10:00:09.123456789Z") == base + micros(123'456));
}

TEST_CASE("anything else is no time") {
  for (const char* text : {"", "2026-08-08", "2026-08-08T10:00:00", "2026-08-08 10:00:00Z", "2026-13-01T00:00:00Z",
                           "2026-02-29T00:00:00Z", "2026-08-08T24:00:00Z", "2026-08-08T10:60:00Z",
                           "2026-08-08T10:00:60Z", "2026-08-08T10:00:00.Z", "2026-08-08T10:00:00.1234567890Z",
                           "2026-08-08T10:00:00+00:00", "2026-08-08T10:00:00Zx", "x026-08-08T10:00:00Z"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_time(text));
  }
}
