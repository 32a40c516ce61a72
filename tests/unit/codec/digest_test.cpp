#include "common/codec/digest.hpp"

#include <doctest/doctest.h>

#include "common/base/ulid.hpp"

using namespace throughline;
using namespace throughline::codec;

TEST_CASE("SHA-256 in hex") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("base64url without padding") {
  CHECK(base64url("") == "");
  CHECK(base64url("f") == "Zg");
  CHECK(base64url("fo") == "Zm8");
  CHECK(base64url("foo") == "Zm9v");
  CHECK(base64url("\xff\xff\xfe") == "___-");
}

TEST_CASE("the digest of entries is over their fields with lengths in bytes") {
  const std::vector<entry> entries = {
      {message_id("1"), entry_type::text, "é", "", ""},
      {message_id("2"), entry_type::text, "", "", ""},
      {message_id("3"), entry_type::tool_call, "**Tool", "ls", "Done"},
  };
  CHECK(entries_sha256(entries) == sha256_hex("4:text1:10:0:2:é"
                                              "9:tool_call1:32:ls4:Done6:**Tool"));
  CHECK(entries_sha256({}) == sha256_hex(""));
}

TEST_CASE("the tail of a session id follows from user and id") {
  const auto tail = creation_tail(user_id("alice"), "key-1");
  CHECK(tail.size() == 2);
  CHECK(tail == creation_tail(user_id("alice"), "key-1"));
  id_source ids(3);
  CHECK(is_session_id(make_id_with_tail("ses_", 1, ids, tail)));
  CHECK(creation_tail(user_id("ab"), "c") != creation_tail(user_id("a"), "bc"));
}

TEST_CASE("secrets have their prefix, 256 bits, and differ") {
  const auto a = make_secret("ha-");
  CHECK(a.starts_with("ha-"));
  CHECK(a.size() == 3 + 43);
  CHECK(a != make_secret("ha-"));
}
