#include "services/state-sync/shell/commit_health.hpp"

#include <doctest/doctest.h>

using throughline::state_sync::commit_health;
using namespace std::chrono_literals;

namespace {

const commit_health::time_point start{1h};

}  // namespace

TEST_CASE("one failure, or a session's own, is nobody's business") {
  commit_health h;
  CHECK(h.why_not(start).empty());
  h.failed(0, "disk full", start);
  h.failed(0, "disk full", start);
  CHECK(h.why_not(start).empty());
  h.worked(0);
  h.failed(0, "disk full", start);
  CHECK(h.why_not(start).empty());
}

TEST_CASE("a writer that only fails is named with its last reason, until it commits") {
  commit_health h;
  for (int i = 0; i < 3; ++i) h.failed(1, "lock timeout", start);
  h.worked(0);
  CHECK(h.why_not(start) == "nothing is committed: lock timeout");
  h.failed(1, "disk full", start + 1s);
  CHECK(h.why_not(start + 9s) == "nothing is committed: disk full");
  h.worked(1);
  CHECK(h.why_not(start + 9s).empty());
}

TEST_CASE("a failure that nothing follows for 5 s is one that lasts: each attempt waits for a lock") {
  commit_health h;
  h.failed(0, "lock timeout", start);
  CHECK(h.why_not(start + 4s).empty());
  CHECK(h.why_not(start + 5s) == "nothing is committed: lock timeout");
  h.worked(0);
  CHECK(h.why_not(start + 5s).empty());
}

TEST_CASE("a writer that has nothing to commit any more says nothing for long") {
  commit_health h;
  for (int i = 0; i < 3; ++i) h.failed(1, "disk full", start);
  CHECK_FALSE(h.why_not(start + 11s).empty());
  CHECK(h.why_not(start + 12s).empty());
}
