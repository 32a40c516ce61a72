#include "common/io/nats/splitting.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using namespace throughline::io;
using namespace std::chrono_literals;

namespace {

const joiner::clock::time_point start{};
constexpr std::size_t bound = 64u << 20;

std::string text_of(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

std::vector<message> parts_of(const message& whole, std::size_t limit, const std::string& id) {
  std::vector<message> parts;
  for (auto& part : split(whole.headers, whole.body, limit, id)) {
    parts.push_back({whole.subject, whole.reply, std::move(part.headers), std::string(part.body)});
  }
  return parts;
}

message part_of(const std::string& id, const std::string& index, const std::string& count, std::string body = {}) {
  return {"s", "", {{"Tl-Split-Id", id}, {"Tl-Split-Index", index}, {"Tl-Split-Count", count}}, std::move(body)};
}

const message whole{"events.1", "inbox.7", {{"Epoch", "1"}, {"Seq", "42"}}, text_of(10'000)};

}  // namespace

TEST_CASE("the limit is 900 KiB, or what the server takes less a margin") {
  CHECK(split_limit(1u << 20) == 900u << 10);
  CHECK(split_limit(8u << 20) == 900u << 10);
  CHECK(split_limit(64u << 10) == 60u << 10);
}

TEST_CASE("parts stay within the limit and join to the message, in any order, with repeats") {
  auto parts = parts_of(whole, 2'048, "x-1");
  CHECK(parts.size() > 5);
  for (const auto& part : parts) {
    CHECK(wire_size(part.headers, part.body) <= 2'048);
    CHECK(joiner::is_part(part));
  }
  CHECK_FALSE(joiner::is_part(whole));
  std::ranges::reverse(parts);
  joiner joins;
  std::optional<message> joined;
  for (const auto& part : parts) {
    CHECK_FALSE(joined);
    joined = joins.add(1, part, start);
    if (!joined) CHECK_FALSE(joins.add(1, part, start));
  }
  REQUIRE(joined);
  CHECK(joined->subject == whole.subject);
  CHECK(joined->reply == whole.reply);
  CHECK(joined->headers == whole.headers);
  CHECK(joined->body == whole.body);
  CHECK(joins.bytes() == 0);
  CHECK(joins.sets() == 0);
  CHECK(joins.dropped() == 0);
}

TEST_CASE("messages and receivers do not mix") {
  const message other{"events.2", "", {{"Seq", "43"}}, text_of(9'000)};
  const auto a = parts_of(whole, 4'096, "x-1");
  const auto b = parts_of(other, 4'096, "x-2");
  REQUIRE(a.size() == 3);
  REQUIRE(b.size() == 3);
  joiner joins;
  int done = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    for (const std::uint64_t receiver : {1, 2}) {
      if (const auto joined = joins.add(receiver, a[i], start)) {
        ++done;
        CHECK(joined->body == whole.body);
      }
    }
    if (const auto joined = joins.add(1, b[i], start)) {
      ++done;
      CHECK(joined->body == other.body);
    }
  }
  CHECK(done == 3);
}

TEST_CASE("a set whose parts did not all arrive in 5 s is dropped") {
  const auto parts = parts_of(whole, 6'000, "x-1");
  REQUIRE(parts.size() == 2);
  joiner joins;
  CHECK_FALSE(joins.add(1, parts[0], start));
  joins.expire(start + 5s);
  CHECK(joins.sets() == 1);
  joins.expire(start + 5s + 1ms);
  CHECK(joins.sets() == 0);
  CHECK(joins.bytes() == 0);
  CHECK(joins.dropped() == 1);
  CHECK_FALSE(joins.add(1, parts[1], start + 6s));
}

TEST_CASE("above the bound the oldest sets go first") {
  joiner joins(bound);
  const std::string megabyte(1u << 20, 'x');
  for (int i = 0; i < 80; ++i) CHECK_FALSE(joins.add(1, part_of(std::to_string(i), "0", "2", megabyte), start));
  CHECK(joins.bytes() <= bound);
  CHECK(joins.sets() == 63);
  CHECK(joins.dropped() == 17);
  CHECK_FALSE(joins.add(1, part_of("0", "1", "2"), start));
  CHECK(joins.add(1, part_of("79", "1", "2"), start).has_value());
}

TEST_CASE("empty parts are bounded as well") {
  joiner joins(bound);
  for (int i = 0; i < 300; ++i) CHECK_FALSE(joins.add(1, part_of(std::to_string(i), "0", "4096"), start));
  CHECK(joins.sets() < 150);
  CHECK(joins.bytes() <= bound);
}

TEST_CASE("parts that make no sense are dropped and counted") {
  joiner joins;
  static_assert(joiner::parts_max < 99'999);
  for (const auto& [index, count] :
       {std::pair{"0", "0"}, {"2", "2"}, {"-1", "2"}, {"", "2"}, {"0", ""}, {"0", "99999"}, {"0x", "2"}}) {
    CHECK_FALSE(joins.add(1, part_of("a", index, count), start));
  }
  CHECK(joins.dropped() == 7);
  CHECK(joins.sets() == 0);
  CHECK_FALSE(joins.add(1, part_of("b", "0", "2"), start));
  CHECK_FALSE(joins.add(1, part_of("b", "1", "3"), start));  // the count changed: the set is worthless
  CHECK(joins.sets() == 0);
  CHECK(joins.dropped() == 8);
}

TEST_CASE("what a receiver had is forgotten with it") {
  joiner joins;
  CHECK_FALSE(joins.add(1, part_of("a", "0", "2", "x"), start));
  CHECK_FALSE(joins.add(2, part_of("a", "0", "2", "x"), start));
  joins.forget(1);
  CHECK(joins.sets() == 1);
  CHECK(joins.add(2, part_of("a", "1", "2", "y"), start)->body == "xy");
  CHECK(joins.bytes() == 0);
}

TEST_CASE("headers that leave no room cannot be split") {
  CHECK(split({{"H", std::string(2'000, 'x')}}, whole.body, 2'048, "x-1").empty());
  CHECK(split({}, text_of(20), 2'048, "x-1").size() == 1);
  CHECK(split({}, {}, 2'048, "x-1").size() == 1);
}
