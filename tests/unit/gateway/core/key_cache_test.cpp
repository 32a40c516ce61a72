#include "services/gateway/core/key_cache.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using gateway::key_cache;

TEST_CASE("an owner is known for five seconds from when it was asked for") {
  key_cache cache;
  CHECK(cache.owner_of("k", millis(0)) == nullptr);
  cache.keep("k", user_id("alice"), millis(1'000));
  REQUIRE(cache.owner_of("k", millis(5'999)) != nullptr);
  CHECK(*cache.owner_of("k", millis(5'999)) == user_id("alice"));
  CHECK(cache.owner_of("k", millis(6'000)) == nullptr);
}

TEST_CASE("a revoked key is unknown at once, and an answer from before does not bring it back") {
  key_cache cache;
  cache.keep("k", user_id("alice"), millis(1'000));
  cache.revoke("k", millis(1'500));
  CHECK(cache.owner_of("k", millis(1'500)) == nullptr);
  CHECK(cache.was_revoked("k", millis(1'500)));
  cache.keep("k", user_id("alice"), millis(1'400));
  CHECK(cache.owner_of("k", millis(1'600)) == nullptr);
  CHECK_FALSE(cache.was_revoked("other", millis(1'500)));
}

TEST_CASE("the cache does not grow without bound") {
  key_cache cache;
  for (std::size_t n = 0; n < 3 * key_cache::entries_max; ++n) {
    cache.keep("k" + std::to_string(n), user_id("alice"), millis(1'000));
  }
  std::size_t known = 0;
  for (std::size_t n = 0; n < 3 * key_cache::entries_max; ++n) {
    if (cache.owner_of("k" + std::to_string(n), millis(1'000)) != nullptr) ++known;
  }
  CHECK(known >= 1);
  CHECK(known <= key_cache::entries_max);
}

TEST_CASE("a text that is no key is known as such for a second from when it was asked for, and no longer") {
  key_cache cache;
  CHECK_FALSE(cache.is_unknown("k", millis(0)));
  cache.keep_unknown("k", millis(1'000));
  CHECK(cache.is_unknown("k", millis(1'999)));
  CHECK_FALSE(cache.is_unknown("k", millis(2'000)));
  CHECK_FALSE(cache.is_unknown("other", millis(1'000)));
  CHECK_FALSE(cache.was_revoked("k", millis(1'000)));
}

TEST_CASE("an owner that was found meanwhile counts, whatever an older answer said") {
  key_cache cache;
  cache.keep_unknown("k", millis(1'000));
  cache.keep("k", user_id("alice"), millis(1'200));
  CHECK_FALSE(cache.is_unknown("k", millis(1'300)));
  cache.keep_unknown("k", millis(1'100));
  REQUIRE(cache.owner_of("k", millis(1'300)) != nullptr);
}

TEST_CASE("a flood of texts that are no keys is bounded and pushes out no key") {
  key_cache cache;
  cache.keep("alices", user_id("alice"), millis(1'000));
  cache.revoke("revoked", millis(1'000));
  for (std::size_t n = 0; n < 3 * key_cache::entries_max; ++n) {
    cache.keep_unknown("k" + std::to_string(n), millis(1'000));
  }
  std::size_t known = 0;
  for (std::size_t n = 0; n < 3 * key_cache::entries_max; ++n) {
    if (cache.is_unknown("k" + std::to_string(n), millis(1'000))) ++known;
  }
  CHECK(known >= 1);
  CHECK(known <= key_cache::entries_max);
  CHECK(cache.owner_of("alices", millis(1'000)) != nullptr);
  CHECK(cache.was_revoked("revoked", millis(1'000)));
}
