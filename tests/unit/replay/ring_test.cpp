#include "common/replay/ring.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::replay;

namespace {

live_event event_at(std::uint64_t epoch, std::uint64_t seq, std::size_t bytes = 1) {
  live_event e;
  e.at = {epoch, seq};
  e.body = std::make_shared<std::string>(bytes, 'x');
  return e;
}

std::vector<std::uint64_t> seqs(const std::optional<std::vector<live_event>>& events) {
  std::vector<std::uint64_t> out;
  for (const auto& e : events.value()) out.push_back(e.at.seq);
  return out;
}

}  // namespace

TEST_CASE("what is held can be replayed from any place it reaches back to") {
  ring r;
  CHECK_FALSE(r.after({1, 4}));
  for (std::uint64_t seq = 5; seq <= 8; ++seq) r.add(event_at(1, seq));
  CHECK(seqs(r.after({1, 4})) == std::vector<std::uint64_t>{5, 6, 7, 8});
  CHECK(seqs(r.after({1, 7})) == std::vector<std::uint64_t>{8});
  CHECK(r.after({1, 8}).value().empty());
  CHECK_FALSE(r.after({1, 3}));
  CHECK_FALSE(r.after({1, 9}));
  CHECK_FALSE(r.after({2, 6}));
}

TEST_CASE("a jump or another epoch begins anew") {
  ring r;
  r.add(event_at(1, 5));
  r.add(event_at(1, 7));
  CHECK(r.size() == 1);
  CHECK_FALSE(r.after({1, 5}));
  CHECK(seqs(r.after({1, 6})) == std::vector<std::uint64_t>{7});
  r.add(event_at(2, 8));
  CHECK(r.size() == 1);
  CHECK_FALSE(r.after({1, 7}));
  CHECK(seqs(r.after({2, 7})) == std::vector<std::uint64_t>{8});
  r.clear();
  CHECK(r.size() == 0);
  CHECK(r.bytes() == 0);
}

TEST_CASE("the oldest go at either bound") {
  ring by_count({.count = 3, .bytes = 1000});
  for (std::uint64_t seq = 1; seq <= 5; ++seq) by_count.add(event_at(1, seq));
  CHECK(by_count.size() == 3);
  CHECK(by_count.bytes() == 3);
  CHECK_FALSE(by_count.after({1, 1}));
  CHECK(by_count.after({1, 2}));

  ring by_bytes({.count = 100, .bytes = 10});
  for (std::uint64_t seq = 1; seq <= 5; ++seq) by_bytes.add(event_at(1, seq, 4));
  CHECK(by_bytes.size() == 2);
  CHECK(by_bytes.bytes() == 8);
  by_bytes.add(event_at(1, 6, 11));
  CHECK(by_bytes.size() == 0);
  CHECK(by_bytes.bytes() == 0);
  by_bytes.add(event_at(1, 7, 1));
  CHECK(seqs(by_bytes.after({1, 6})) == std::vector<std::uint64_t>{7});
}
