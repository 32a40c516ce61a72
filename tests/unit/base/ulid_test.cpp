#include "common/base/ulid.hpp"

#include <set>

#include <doctest/doctest.h>

using namespace throughline;

TEST_CASE("ids are well-formed, differ and sort by time") {
  id_source ids(1);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto id = make_id("ses_", 1'700'000'000'000, ids);
    CHECK(is_session_id(id));
    seen.insert(id);
  }
  CHECK(seen.size() == 1000);
  CHECK(make_id("int_", 1, ids) < make_id("int_", 2, ids));
}

TEST_CASE("a session id is checked to the letter") {
  const std::string good = "ses_01h2xcejqtf2nbrexx3vqjhp41";
  CHECK(is_session_id(good));
  CHECK_FALSE(is_session_id(""));
  CHECK_FALSE(is_session_id(good.substr(0, 29)));
  CHECK_FALSE(is_session_id(good + "0"));
  CHECK_FALSE(is_session_id("int_01h2xcejqtf2nbrexx3vqjhp41"));
  CHECK_FALSE(is_session_id("ses_81h2xcejqtf2nbrexx3vqjhp41"));
  CHECK_FALSE(is_session_id("ses_01h2xcejqtf2nbrexx3vqjhp4i"));
  CHECK_FALSE(is_session_id("ses_01H2XCEJQTF2NBREXX3VQJHP41"));
  CHECK_FALSE(is_session_id("ses_01h2xcejqtf2nbrexx3vqjh.*>"));
}

TEST_CASE("the shard is the last 8 bits, and a tail decides it") {
  CHECK(shard_of(session_id("ses_01h2xcejqtf2nbrexx3vqjhp00")) == shard_number{0});
  CHECK(shard_of(session_id("ses_01h2xcejqtf2nbrexx3vqjhp7z")) == shard_number{255});
  CHECK(shard_of(session_id("ses_01h2xcejqtf2nbrexx3vqjhp80")) == shard_number{0});
  CHECK_FALSE(shard_of(session_id("ses_")));
  id_source ids(2);
  for (std::uint64_t hash = 0; hash < 1024; ++hash) {
    const session_id id(make_id_with_tail("ses_", 5, ids, tail_of_hash(hash)));
    CHECK(shard_of(id) == static_cast<shard_number>(hash & 0xff));
  }
}
