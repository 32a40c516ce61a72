#include "services/state-sync/shell/shard_share.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::state_sync;

namespace {

std::vector<std::string> named(std::size_t count) {
  std::vector<std::string> members;
  for (std::size_t i = 0; i < count; ++i) members.push_back("replica-" + std::to_string(i));
  return members;
}

/// Who holds which shard.
std::array<std::size_t, shard_count> holders(const std::vector<std::string>& members) {
  std::array<std::size_t, shard_count> holder{};
  holder.fill(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    for (const auto shard : fair_share(members, members[i])) {
      REQUIRE(holder[shard] == members.size());
      holder[shard] = i;
    }
  }
  return holder;
}

}  // namespace

TEST_CASE("a replica alone holds everything, also one that is not on the list yet") {
  CHECK(fair_share({}, "me").size() == shard_count);
  CHECK(fair_share({"me"}, "me").size() == shard_count);
  CHECK(fair_share({"me", "me"}, "me").size() == shard_count);
  CHECK(fair_share({"other"}, "me").size() == shard_count / 2);
}

TEST_CASE("every shard has one holder, and shares differ by one at most") {
  for (const std::size_t count : {2, 3, 5, 7, 100}) {
    const auto members = named(count);
    const auto holder = holders(members);
    std::vector<std::size_t> share(count);
    for (const auto h : holder) {
      REQUIRE(h < count);
      ++share[h];
    }
    const auto [least, most] = std::minmax_element(share.begin(), share.end());
    CHECK(*most - *least <= 1);
  }
}

TEST_CASE("the order of the list does not matter") {
  auto members = named(4);
  const auto mine = fair_share(members, members[2]);
  std::reverse(members.begin(), members.end());
  CHECK(fair_share(members, "replica-2") == mine);
}

TEST_CASE("one that joins moves little more than its own share") {
  for (const std::size_t count : {1, 2, 3, 5, 9}) {
    const auto before = holders(named(count));
    const auto after = holders(named(count + 1));
    std::size_t moved = 0;
    for (unsigned shard = 0; shard < shard_count; ++shard) moved += before[shard] == after[shard] ? 0 : 1;
    CHECK(moved >= shard_count / (count + 1));
    CHECK(moved <= 2 * shard_count / (count + 1));
  }
}

TEST_CASE("what to take and what to give up") {
  const auto change = change_of({3, 1, 7}, {7, 2, 3});
  CHECK(change.take == std::vector<shard_number>{2});
  CHECK(change.give_up == std::vector<shard_number>{1});
  CHECK(change_of({}, {}).take.empty());
}
