#include "services/state-sync/core/load_errors.hpp"

#include <doctest/doctest.h>

namespace throughline::state_sync {

TEST_CASE("only positive evidence says that a thread is gone") {
  const thread_id t{"abc"};
  CHECK(says_thread_is_gone("Failed to load thread: entity released", t));
  CHECK(says_thread_is_gone("no rollout found for thread id abc", t));
  CHECK(says_thread_is_gone("x: no thread found with ID: SessionId(\"abc\")", t));
  CHECK(says_thread_is_gone("Failed to load thread: Resource not found: abc: {\"uri\":\"abc\"}", t));
  CHECK_FALSE(says_thread_is_gone("Failed to load thread: Resource not found: abc: {\"uri\":\"other\"}", t));
  CHECK_FALSE(says_thread_is_gone("Failed to send: Resource not found: abc: {\"uri\":\"abc\"}", t));
  CHECK_FALSE(says_thread_is_gone("Failed to load thread: Resource not found: abc: {\"uri\":\"abc\",\"a\":1}", t));
  CHECK_FALSE(says_thread_is_gone("Failed to load thread: timed out", t));
  CHECK_FALSE(says_thread_is_gone("", t));
}

}  // namespace throughline::state_sync
