#include "common/codec/key_requests.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using codec::fingerprint_of;

TEST_CASE("a repeat of the issue of a key has the same fingerprint, whatever was made for it") {
  const issue_key first{{user_id("alice"), "a", {}}, "key_1", "ci", std::string(64, '1')};
  const issue_key again{{user_id("alice"), "a", "filled in"}, "key_2", "ci", std::string(64, '2')};
  CHECK(fingerprint_of(first) == fingerprint_of(again));
  auto other = first;
  other.name = "laptop";
  CHECK(fingerprint_of(first) != fingerprint_of(other));
}

TEST_CASE("two keys are not revoked under one id") {
  const revoke_key one{{user_id("alice"), "a", {}}, "key_1"};
  const revoke_key other{{user_id("alice"), "a", {}}, "key_2"};
  CHECK(fingerprint_of(one) != fingerprint_of(other));
}
