#include "services/state-sync/shell/tree_cache.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::state_sync;

namespace {

session_id id(int n) {
  return session_id("s" + std::to_string(n));
}

tree idle() {
  return tree(tree_rows{});
}

}  // namespace

TEST_CASE("above the bound the least recently used trees go") {
  tree_cache cache(2);
  for (int n = 0; n < 4; ++n) cache.put(id(n), idle(), {});
  CHECK(cache.find(id(0)) != nullptr);  // now the most recently used
  CHECK(cache.trim() == 2);
  CHECK(cache.size() == 2);
  CHECK(cache.find(id(0)) != nullptr);
  CHECK(cache.find(id(3)) != nullptr);
  CHECK(cache.find(id(1)) == nullptr);
  CHECK(cache.trim() == 0);
}

TEST_CASE("what is put anew is untold and has its own marks") {
  tree_cache cache(10);
  cache.put(id(1), idle(), {{id(1), {1, 5}}}).told = true;
  auto& again = cache.put(id(1), idle(), {{id(1), {1, 6}}});
  CHECK_FALSE(again.told);
  CHECK(again.marks.at(id(1)) == fence_mark{1, 6});
  CHECK(cache.size() == 1);
  cache.drop(id(1));
  cache.drop(id(1));
  CHECK(cache.roots().empty());
}

TEST_CASE("what is only looked at is no more recently used for it") {
  tree_cache cache(1);
  cache.put(id(1), idle(), {});
  cache.put(id(2), idle(), {});
  CHECK(cache.look_at(id(1)) != nullptr);
  CHECK(cache.look_at(id(3)) == nullptr);
  CHECK(cache.trim() == 1);
  CHECK(cache.look_at(id(1)) == nullptr);
  CHECK(cache.look_at(id(2)) != nullptr);
}
