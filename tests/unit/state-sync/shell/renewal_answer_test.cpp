#include "services/state-sync/shell/renewal_answer.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::state_sync;

namespace {

const std::vector<attachment_id> four = {attachment_id("a"), attachment_id("b"), attachment_id("c"),
                                         attachment_id("d")};

}  // namespace

TEST_CASE("the answer names what is not simply renewed") {
  renewal_answer answer(four);
  answer.add(0, noted{}, 3);
  answer.add(1, noted{.known = false}, 3);
  answer.add(2, noted{.known = true, .superseded = true}, 3);
  CHECK_FALSE(answer.complete());
  answer.add(3, deferred{deferral::busy, 50}, 3);
  CHECK(answer.complete());
  CHECK(answer.epoch() == 3);
  const auto said = answer.so_far();
  REQUIRE(said.except.size() == 3);
  CHECK(said.except[0].attachment == attachment_id("b"));
  CHECK(said.except[0].why == renewal_fault::unknown);
  CHECK(said.except[1].why == renewal_fault::superseded);
  CHECK(said.except[2].attachment == attachment_id("d"));
  CHECK(said.except[2].why == renewal_fault::deferred);
}

TEST_CASE("what nobody has decided yet is deferred, and defers under no epoch") {
  renewal_answer answer(four);
  CHECK(answer.so_far().except.size() == 4);
  answer.add(0, deferred{deferral::not_owner, 0}, 5);
  CHECK(answer.epoch() == 0);
  answer.add(1, noted{}, 5);
  CHECK(answer.epoch() == 5);
  const auto said = answer.so_far();
  REQUIRE(said.except.size() == 3);
  for (const auto& one : said.except) CHECK(one.why == renewal_fault::deferred);
}

TEST_CASE("the first word about each counts, and of two epochs the lower") {
  renewal_answer answer(four);
  answer.add(0, noted{}, 6);
  answer.add(0, noted{.known = false}, 6);
  answer.add(1, noted{}, 5);
  answer.add(2, noted{}, 7);
  CHECK_FALSE(answer.complete());
  CHECK(answer.epoch() == 5);
  CHECK(answer.so_far().except.size() == 1);
}
