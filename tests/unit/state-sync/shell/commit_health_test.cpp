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

TEST_CASE("a writer cannot write when its attempts to connect have failed for 2 s, or one of them took so long") {
  commit_health h;
  h.connecting(1, "no room", start, start);
  h.connecting(1, "no room", start + 1s, start + 1900ms);
  CHECK(h.cannot_write(start + 9s).empty());
  h.connecting(1, "refused", start + 2s, start + 2s);
  CHECK(h.cannot_write(start + 2s) == "a writer cannot connect: refused");
  h.connecting(1, "", start + 3s, start + 3s);
  CHECK(h.cannot_write(start + 3s).empty());
  h.connecting(1, "nothing answers", start + 4s, start + 7s);
  CHECK_FALSE(h.cannot_write(start + 7s).empty());
}

TEST_CASE("attempts to connect with long between them are not one that lasts") {
  commit_health h;
  h.connecting(1, "refused", start, start);
  h.connecting(1, "refused", start + 13s, start + 13s);
  CHECK(h.cannot_write(start + 13s).empty());
  h.connecting(1, "refused", start + 15s, start + 15s);
  CHECK_FALSE(h.cannot_write(start + 15s).empty());
}

TEST_CASE("attempts before others of the process could connect say nothing any more") {
  commit_health h;
  h.connecting(0, "refused", start, start + 3s);
  for (int i = 0; i < 3; ++i) h.failed(0, "refused", start + 3s);
  for (int i = 0; i < 3; ++i) h.failed(1, "disk full", start + 3s);
  h.can_connect();
  CHECK(h.cannot_write(start + 3s).empty());
  CHECK(h.why_not(start + 3s) == "nothing is committed: disk full");
  h.worked(1);
  CHECK(h.why_not(start + 3s).empty());
  h.connecting(0, "refused", start + 4s, start + 4s);
  CHECK(h.cannot_write(start + 4s).empty());
  h.connecting(0, "refused", start + 6s, start + 6s);
  CHECK_FALSE(h.cannot_write(start + 6s).empty());
}

TEST_CASE("commits that fail, as one session may make them, are no reason to leave") {
  commit_health h;
  for (int i = 0; i < 100; ++i) h.failed(0, "disk full", start + i * 1s);
  CHECK_FALSE(h.why_not(start + 100s).empty());
  CHECK(h.cannot_write(start + 100s).empty());
}

TEST_CASE("a writer that has not been heard of for 15 s stands still, whatever others do") {
  commit_health h;
  CHECK_FALSE(h.stands_still(start));
  h.goes_on(0, start);
  h.goes_on(1, start + 14s);
  CHECK_FALSE(h.stands_still(start + 14s));
  h.can_connect();
  CHECK(h.stands_still(start + 15s));
  CHECK(h.cannot_write(start + 15s) == "a writer stands still");
  CHECK(h.why_not(start + 15s) == "nothing is committed: a writer stands still");
  h.goes_on(0, start + 15s);
  CHECK_FALSE(h.stands_still(start + 15s));
  CHECK(h.cannot_write(start + 15s).empty());
}

TEST_CASE("a writer that stands still is beyond hope once its shards are gone, or after 30 s") {
  commit_health h;
  CHECK_FALSE(h.hopeless(start, false));
  h.goes_on(0, start);
  CHECK_FALSE(h.hopeless(start + 14s, false));
  CHECK(h.hopeless(start + 15s, false));
  CHECK_FALSE(h.hopeless(start + 29s, true));
  CHECK(h.hopeless(start + 30s, true));
}

TEST_CASE("a writer that said that it may take longer does not stand still meanwhile") {
  commit_health h;
  h.goes_on(0, start, 256s);
  CHECK_FALSE(h.stands_still(start + 270s));
  CHECK_FALSE(h.hopeless(start + 270s, false));
  CHECK(h.stands_still(start + 271s));
  h.goes_on(0, start + 1s);
  CHECK(h.stands_still(start + 16s));
}

TEST_CASE("a pause of the whole process is none of its writers'") {
  commit_health h;
  h.goes_on(0, start);
  h.goes_on(1, start + 90s, 20s);
  h.was_paused(start + 100s);
  CHECK_FALSE(h.stands_still(start + 100s));
  CHECK_FALSE(h.hopeless(start + 114s, false));
  CHECK(h.hopeless(start + 115s, false));
}
