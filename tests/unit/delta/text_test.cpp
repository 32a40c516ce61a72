#include "common/delta/text.hpp"

#include <doctest/doctest.h>

#include "common/base/ulid.hpp"
#include "common/base/utf.hpp"

using namespace throughline;
using namespace throughline::delta;

namespace {

/// Text of a few characters of every UTF-8 length, so that cuts fall everywhere.
std::string random_text(id_source& ids, std::size_t characters_max) {
  const std::string_view alphabet[] = {"a", "b", "\n", "é", "✅", "📤", "📥", "漢"};
  std::string out;
  for (auto n = ids.next() % (characters_max + 1); n > 0; --n) out += alphabet[ids.next() % 8];
  return out;
}

}  // namespace

TEST_CASE("the hash is that of FNV-1a and can be extended") {
  CHECK(hash_of("") == 0xcbf29ce484222325ULL);
  CHECK(hash_of("a") == 0xaf63dc4c8601ec8cULL);
  CHECK(hash_of("foobar") == 0x85944171f73967e8ULL);
  CHECK(extend(hash_of("foo"), "bar") == hash_of("foobar"));
}

TEST_CASE("an append carries only what was added") {
  const auto d = delta_between("Hello", hash_of("Hello"), "Hello world");
  CHECK(d == text_delta{text_delta::base_name{5, hash_of("Hello")}, 5, " world"});
  CHECK(is_append(5, d));
  CHECK(hash_after(5, hash_of("Hello"), d, "Hello world") == hash_of("Hello world"));
}

TEST_CASE("a change keeps what is common, between code points") {
  const auto d = delta_between("x📤", hash_of("x📤"), "x📥!");
  CHECK(d.keep == 1);
  CHECK(d.text == "📥!");
  CHECK(hash_after(5, hash_of("x📤"), d, "x📥!") == hash_of("x📥!"));
  CHECK(delta_between("abcdef", hash_of("abcdef"), "abc").keep == 3);
  CHECK(delta_between("abcdef", hash_of("abcdef"), "abc").text.empty());
}

TEST_CASE("where nothing is kept the delta needs no base") {
  CHECK(delta_between("abc", hash_of("abc"), "xyz") == whole("xyz"));
  CHECK(delta_between("", hash_of(""), "xyz") == whole("xyz"));
  CHECK(apply("anything", 1, whole("xyz")).value() == "xyz");
}

TEST_CASE("a delta is applied to its own base only") {
  const auto d = delta_between("Hello", hash_of("Hello"), "Hello world");
  CHECK(apply("Hello", hash_of("Hello"), d).value() == "Hello world");
  CHECK(apply("Hellu", hash_of("Hellu"), d).error().code == "need_full");
  CHECK(apply("Hell", hash_of("Hell"), d).error().code == "need_full");
  CHECK(apply("", hash_of(""), d).error().code == "need_full");
}

TEST_CASE("a delta that makes no sense is refused and changes nothing") {
  const text_delta::base_name base{5, hash_of("x📤")};
  std::string content = "x📤";
  auto hash = hash_of(content);
  CHECK(apply_to(content, hash, {base, 6, "y"}).error().code == "bad_delta");
  CHECK(apply_to(content, hash, {base, 3, "y"}).error().code == "bad_delta");
  CHECK(apply_to(content, hash, {std::nullopt, 1, "y"}).error().code == "bad_delta");
  CHECK(content == "x📤");
  CHECK(hash == hash_of("x📤"));
}

TEST_CASE("any text leads to any other, and the hashes follow") {
  id_source ids(7);
  std::string held;
  auto hash = hash_of(held);
  for (int i = 0; i < 20000; ++i) {
    auto now = ids.next() % 3 == 0 ? random_text(ids, 12) : held + random_text(ids, 4);
    if (ids.next() % 4 == 0) now.resize(code_point_floor(now, ids.next() % (now.size() + 1)));
    const auto d = delta_between(held, hash, now);
    REQUIRE(is_utf8(d.text));
    REQUIRE(apply(held, hash, d).value() == now);
    const auto expected = hash_after(held.size(), hash, d, now);
    REQUIRE(apply_to(held, hash, d).has_value());
    REQUIRE(held == now);
    REQUIRE(hash == hash_of(now));
    REQUIRE(hash == expected);
  }
}
