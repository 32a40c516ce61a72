#include "services/state-sync/shell/shard_share.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::state_sync;

namespace {

constexpr member_number nobody_there = 0;

/// Replicas that do what the plan says, one after the other, on one lock table.
class lock_table {
 public:
  void join(member_number member) { members_.push_back(member); }
  /// It does what it can before it goes.
  void leave(member_number member) {
    std::erase(members_, member);
    act(member);
  }
  /// Its locks go with it.
  void die(member_number member) {
    std::erase(members_, member);
    std::ranges::replace(holders_, member, nobody_there);
  }

  share_change act(member_number member) {
    auto change = change_of(seen_by(member), member);
    for (const auto shard : change.take) {
      REQUIRE(holders_[shard] == nobody_there);
      holders_[shard] = member;
    }
    for (const auto shard : change.give_up) {
      REQUIRE(holders_[shard] == member);
      holders_[shard] = nobody_there;
    }
    most_free_ = std::max(most_free_, held_by(nobody_there));
    return change;
  }
  /// Everybody once; true when anybody did something.
  bool round() {
    bool moved = false;
    for (const auto member : std::vector(members_)) {
      const auto change = act(member);
      moved = moved || !change.take.empty() || !change.give_up.empty();
    }
    return moved;
  }
  void settle() {
    for (int rounds = 0; round(); ++rounds) REQUIRE(rounds < 100);
  }

  std::size_t held_by(member_number member) const {
    return static_cast<std::size_t>(std::ranges::count(holders_, member));
  }
  const std::array<member_number, shard_count>& holders() const { return holders_; }
  std::size_t take_most_free() { return std::exchange(most_free_, 0); }

  shard_view seen_by(member_number member) const {
    shard_view view;
    view.members = members_;
    for (unsigned shard = 0; shard < shard_count; ++shard) {
      const auto held = holders_[shard];
      view.holders[shard] = held == nobody_there ? holder::nobody : held == member ? holder::self : holder::other;
    }
    return view;
  }

 private:
  std::vector<member_number> members_;
  std::array<member_number, shard_count> holders_{};
  std::size_t most_free_ = 0;
};

/// `count` members, each of which joined an even table.
lock_table settled(member_number count) {
  lock_table table;
  for (member_number member = 1; member <= count; ++member) {
    table.join(member);
    table.settle();
  }
  return table;
}

std::size_t moved_between(const lock_table& before, const lock_table& after) {
  std::size_t moved = 0;
  for (unsigned shard = 0; shard < shard_count; ++shard) moved += before.holders()[shard] != after.holders()[shard];
  return moved;
}

}  // namespace

TEST_CASE("shares differ by one at most, and together they are everything") {
  for (const member_number count : {1u, 2u, 3u, 5u, 7u, 100u, 300u}) {
    std::vector<member_number> members;
    for (member_number i = 0; i < count; ++i) members.push_back(count * 3 - i);
    std::size_t all = 0;
    for (const auto member : members) {
      const auto share = share_of(members, member);
      CHECK(share >= shard_count / count);
      CHECK(share <= shard_count / count + 1);
      all += share;
    }
    CHECK(all == shard_count);
  }
}

TEST_CASE("a member listed twice counts once, a stranger has no share") {
  CHECK(share_of({4, 4}, 4) == shard_count);
  CHECK(share_of({4, 5, 4}, 5) == shard_count / 2);
  CHECK(share_of({4}, 5) == 0);
  CHECK(share_of({}, 5) == 0);
}

TEST_CASE("one that joins or leaves moves its own share and nothing else, no more than that at a time") {
  for (const member_number count : {1u, 2u, 3u, 5u, 9u}) {
    CAPTURE(count);
    auto table = settled(count);
    const auto before = table;
    table.take_most_free();
    table.join(count + 1);
    table.settle();
    CHECK(table.held_by(count + 1) == share_of(table.seen_by(1).members, count + 1));
    CHECK(moved_between(before, table) == table.held_by(count + 1));
    CHECK(table.take_most_free() <= shard_count / (count + 1) + count);
    const auto with_it = table;
    table.leave(count + 1);
    table.settle();
    CHECK(table.held_by(count + 1) == 0);
    CHECK(table.held_by(nobody_there) == 0);
    CHECK(moved_between(with_it, table) == with_it.held_by(count + 1));
  }
}

TEST_CASE("several that join at once are served in waves") {
  auto table = settled(1);
  table.take_most_free();
  for (member_number member = 2; member <= 5; ++member) table.join(member);
  table.settle();
  for (member_number member = 1; member <= 5; ++member) CHECK(table.held_by(member) >= shard_count / 5);
  CHECK(table.take_most_free() <= shard_count / 5 + 1);
}

TEST_CASE("what a dead member held is taken by the others, to equal shares") {
  auto table = settled(4);
  const auto before = table;
  table.die(2);
  table.settle();
  CHECK(table.held_by(nobody_there) == 0);
  CHECK(moved_between(before, table) == before.held_by(2));
  for (const member_number member : {1u, 3u, 4u}) CHECK(table.held_by(member) <= shard_count / 3 + 1);
}

TEST_CASE("nothing moves while nobody joins or leaves") {
  auto table = settled(3);
  CHECK_FALSE(table.round());
}

TEST_CASE("nothing is given up while shards are free that another has still to take") {
  auto view = settled(1).seen_by(1);
  view.members = {1, 2};
  CHECK(change_of(view, 1).give_up.size() == shard_count / 2);
  view.holders[17] = holder::nobody;
  CHECK(change_of(view, 1).give_up.empty());
}

TEST_CASE("one that is not on the list gives up everything to others, and keeps it when there is nobody") {
  auto view = settled(1).seen_by(1);
  view.members = {};
  CHECK(change_of(view, 1).give_up.empty());
  view.members = {2};
  CHECK(change_of(view, 1).give_up.size() == shard_count);
  CHECK(change_of(view, 1).take.empty());
}

TEST_CASE("two members that see the same free shards want different ones first") {
  auto table = settled(2);
  table.die(1);
  auto view = table.seen_by(2);
  view.members = {2, 3, 4};
  for (auto& holds : view.holders) holds = holder::nobody;
  const auto mine = change_of(view, 3).take;
  const auto theirs = change_of(view, 4).take;
  const auto same = std::ranges::count_if(mine, [&](auto s) { return std::ranges::find(theirs, s) != theirs.end(); });
  CHECK(mine.size() >= shard_count / 3);
  CHECK(same < static_cast<std::ptrdiff_t>(mine.size() / 2));
}
