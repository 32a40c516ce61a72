#include "services/gateway/core/sending.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::gateway;

namespace {

/// Gives the code in which patience ends when every attempt becomes one of these, in turn.
template <class Attempts>
std::string end_of(Attempts attempts, const std::vector<attempt_outcome>& outcomes, millis& ended) {
  millis now{0};
  auto attempt = attempts.first();
  for (std::size_t i = 0; i < 100'000; ++i) {
    const auto became = outcomes[i % outcomes.size()];
    if (became == attempt_outcome::unanswered) now += attempt.timeout;
    const auto next = attempts.next(became, millis(0), now);
    if (!next) {
      ended = now;
      return next.error().code;
    }
    now += next->wait;
    attempt = *next;
  }
  return "never";
}

}  // namespace

TEST_CASE("a change that nobody can have seen was not accepted") {
  millis ended{0};
  const mutation_attempts attempts(millis(0), {millis(12'000), millis(3'000)});
  CHECK(end_of(attempts, {attempt_outcome::nobody, attempt_outcome::not_owner}, ended) == "not_accepted");
  CHECK(ended <= millis(12'000));
  CHECK(ended >= millis(7'000));  // longer than it takes to replace a dead owner
}

TEST_CASE("one attempt that may have had an effect leaves the outcome unknown") {
  for (const auto doubt : {attempt_outcome::unanswered, attempt_outcome::busy}) {
    millis ended{0};
    const mutation_attempts attempts(millis(0), {millis(12'000), millis(3'000)});
    CHECK(end_of(attempts, {attempt_outcome::nobody, doubt, attempt_outcome::nobody}, ended) == "outcome_unknown");
    CHECK(ended <= millis(12'000));
  }
}

TEST_CASE("the first attempt is short; after one that was not answered in time the next is twice as long") {
  mutation_attempts attempts(millis(0));
  CHECK(attempts.first().timeout == millis(1'000));
  CHECK(attempts.next(attempt_outcome::unanswered, millis(0), millis(1'000))->timeout == millis(2'000));
  CHECK(attempts.next(attempt_outcome::not_owner, millis(0), millis(1'100))->timeout == millis(2'000));
  CHECK(attempts.next(attempt_outcome::busy, millis(0), millis(1'200))->timeout == millis(2'000));
  CHECK(attempts.next(attempt_outcome::unanswered, millis(0), millis(3'200))->timeout == millis(3'000));
  const auto last = attempts.next(attempt_outcome::unanswered, millis(0), millis(8'300));
  REQUIRE(last);
  CHECK(millis(8'300) + last->wait + last->timeout == millis(10'000));
  mutation_attempts cancel(millis(0), cancel_patience);
  for (int i = 0; i < 3; ++i) (void)cancel.next(attempt_outcome::unanswered, millis(0), millis(0));
  CHECK(cancel.next(attempt_outcome::unanswered, millis(0), millis(0))->timeout == millis(3'000));
}

TEST_CASE("attempts never reach beyond the deadline, and waits grow") {
  mutation_attempts attempts(millis(0), {millis(1'000), millis(600)});
  const auto second = attempts.next(attempt_outcome::unanswered, millis(0), millis(600));
  REQUIRE(second);
  CHECK(millis(600) + second->wait + second->timeout <= millis(1'000));
  mutation_attempts others(millis(0), {millis(10'000), millis(600)});
  const auto a = others.next(attempt_outcome::nobody, millis(0), millis(0));
  const auto b = others.next(attempt_outcome::nobody, millis(0), millis(0));
  CHECK(a->wait < b->wait);
  CHECK(others.next(attempt_outcome::busy, millis(900), millis(0))->wait == millis(900));
}

TEST_CASE("a read not answered by the group in 500 ms goes to the shard's own subject") {
  read_attempts attempts(millis(0), millis(8'000));
  CHECK(attempts.first().timeout == millis(500));
  CHECK_FALSE(attempts.first().direct);
  const auto second = attempts.next(attempt_outcome::unanswered, millis(0), millis(500));
  REQUIRE(second);
  CHECK(second->direct);
  CHECK(second->wait == millis(0));
  CHECK(second->timeout == millis(2'000));
}

TEST_CASE("a read that neither subject answers is given twice the time") {
  read_attempts attempts(millis(0), millis(8'000));
  (void)attempts.next(attempt_outcome::unanswered, millis(0), millis(500));
  const auto third = attempts.next(attempt_outcome::unanswered, millis(0), millis(2'500));
  REQUIRE(third);
  CHECK_FALSE(third->direct);
  CHECK(third->timeout == millis(1'000));
  const auto fourth = attempts.next(attempt_outcome::unanswered, millis(0), millis(3'500));
  REQUIRE(fourth);
  CHECK(fourth->direct);
  CHECK(fourth->timeout == millis(4'000));
}

TEST_CASE("reads end with a code that says why") {
  millis ended{0};
  CHECK(end_of(read_attempts(millis(0), millis(8'000)), {attempt_outcome::nobody}, ended) == "unavailable");
  CHECK(ended <= read_attempts::nobody_max);
  CHECK(end_of(read_attempts(millis(0), millis(4'000)), {attempt_outcome::unanswered}, ended) == "unavailable");
  CHECK(end_of(read_attempts(millis(0), millis(4'000)), {attempt_outcome::busy}, ended) == "busy");
  CHECK(ended <= millis(4'000));
}
