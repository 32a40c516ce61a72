#include "services/gateway/core/parameters.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::gateway;

TEST_CASE("pages") {
  const auto usual = parse_page(std::nullopt, std::nullopt, {50, 200});
  REQUIRE(usual);
  CHECK(usual->page == 0);
  CHECK(usual->per_page == 50);
  CHECK(parse_page("3", "7", {50, 200})->page == 3);
  CHECK(parse_page("3", "999999", {50, 200})->per_page == 200);
  for (const auto* bad : {"-1", "x", "", "1.5", " 1", "99999999999999999999"})
    CHECK_FALSE(parse_page(bad, {}, {50, 200}));
  CHECK_FALSE(parse_page("0", "0", {50, 200}));
}

TEST_CASE("order, flags, positions and limits") {
  CHECK(*parse_newest_first("desc"));
  CHECK_FALSE(*parse_newest_first("asc"));
  CHECK_FALSE(parse_newest_first("newest"));
  CHECK(*parse_flag("1"));
  CHECK(*parse_flag(""));
  CHECK_FALSE(*parse_flag(std::nullopt));
  CHECK_FALSE(parse_flag("2"));
  CHECK(*parse_since("1:42") == position{1, 42});
  CHECK_FALSE(*parse_since(std::nullopt));
  for (const auto* bad : {"42", "1:", ":1", "1:x", "0:1", "1:2:3", "1:-2", "01:2", "1:02", "1:00"})
    CHECK_FALSE(parse_since(bad));
  CHECK(*parse_limit(std::nullopt) == 1000);
  CHECK(*parse_limit("20000") == 10000);
  CHECK_FALSE(parse_limit("0"));
}

TEST_CASE("an ETag names position and form") {
  CHECK(session_etag({2, 17}, false) == "\"2:17\"");
  CHECK(session_etag({2, 17}, true) == "\"2:17-s\"");
  CHECK(matches_etag("\"2:17\"", "\"2:17\""));
  CHECK(matches_etag("\"1:1\", W/\"2:17\"", "\"2:17\""));
  CHECK(matches_etag("*", "\"2:17\""));
  CHECK_FALSE(matches_etag("\"2:17-s\"", "\"2:17\""));
  CHECK_FALSE(matches_etag("", "\"2:17\""));
}

TEST_CASE("ids are checked for their form") {
  CHECK(is_interaction_id("int_01jb2c3d4e5f6g7h8jkmnpqrst"));
  CHECK_FALSE(is_interaction_id("ses_01jb2c3d4e5f6g7h8jkmnpqrst"));
  CHECK_FALSE(is_interaction_id("int_01jb2c3d4e5f6g7h8jkmnpqrsU"));
  CHECK_FALSE(is_interaction_id("int_"));
  CHECK(is_user_id("ana@example.org"));
  CHECK_FALSE(is_user_id(""));
  CHECK_FALSE(is_user_id("a\tb"));
  CHECK_FALSE(is_user_id("\xff"));
}
