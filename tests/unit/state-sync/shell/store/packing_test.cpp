#include "services/state-sync/shell/store/packing.hpp"

#include <doctest/doctest.h>

#include "services/state-sync/shell/store/columns.hpp"

using namespace throughline;
using namespace throughline::state_sync;

TEST_CASE("any fields come back as they were") {
  const std::vector<std::string> fields{"", "5:hello", "a\nb", "😀", ":"};
  CHECK(unpack(pack(fields)) == fields);
  CHECK(pack({}).empty());
  CHECK(unpack("").empty());
  CHECK(pack({"hello", "abc"}) == "5:hello3:abc");
}

TEST_CASE("what was not packed here is refused") {
  for (const auto* bad : {"5", "5:abc", "x:abc", ":", "-1:a", "1:ab"}) CHECK_THROWS_AS(unpack(bad), bad_stored);
}

TEST_CASE("silent entries and digests come back as they were") {
  const std::vector<silent_entry> silent{{3, {message_id("m"), entry_type::tool_call, "", "read", "running"}},
                                         {0, {message_id("n"), entry_type::text, "", "", ""}}};
  const auto back = unpack_silent(pack_silent(silent));
  REQUIRE(back.size() == 2);
  CHECK(back[0].place == 3);
  CHECK(back[0].value == silent[0].value);
  CHECK(back[1].value == silent[1].value);

  const auto digests = unpack_digests(pack_digests({{message_id("m"), 7, ~std::uint64_t{0}}}));
  REQUIRE(digests.size() == 1);
  CHECK(digests[0].id == message_id("m"));
  CHECK(digests[0].length == 7);
  CHECK(digests[0].hash == ~std::uint64_t{0});
  CHECK_THROWS_AS(unpack_digests("1:a"), bad_stored);
  CHECK_THROWS_AS(unpack_silent(pack({"0", "m", "no such type", "", "", ""})), bad_stored);
}
