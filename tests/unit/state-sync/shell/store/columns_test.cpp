#include "services/state-sync/shell/store/columns.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::state_sync;

TEST_CASE("rows become one array literal per column") {
  row_batch batch(3);
  batch.add("a\"b\\c").add(std::uint64_t{18}).add(true);
  batch.add("").add(std::optional<std::uint64_t>{}).add(false);
  CHECK(batch.rows() == 2);
  CHECK(batch.take() == std::vector<std::string>{R"({"a\"b\\c",""})", "{18,NULL}", "{t,f}"});
}

TEST_CASE("text that looks like syntax stays text") {
  row_batch batch(1);
  batch.add("NULL").add("{x,y}").add(std::optional<session_id>(session_id("null")));
  CHECK(batch.take() == std::vector<std::string>{R"({"NULL","{x,y}","null"})"});
  CHECK(text_array({}) == "{}");
  CHECK(text_array({"a,b", "c"}) == R"({"a,b","c"})");
}

TEST_CASE("a row that is not complete is a mistake of ours") {
  row_batch batch(2);
  batch.add("only one");
  CHECK_THROWS_AS(batch.take(), std::logic_error);
}
