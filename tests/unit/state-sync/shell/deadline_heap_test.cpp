#include "services/state-sync/shell/deadline_heap.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::state_sync;

namespace {

const session_id a{"a"}, b{"b"}, c{"c"};

deadline_heap::time_point at(int seconds) {
  return deadline_heap::time_point(std::chrono::seconds(seconds));
}

}  // namespace

TEST_CASE("trees are taken when due, earliest first") {
  deadline_heap heap;
  heap.set(a, at(3));
  heap.set(b, at(1));
  heap.set(c, at(9));
  CHECK(heap.earliest() == at(1));
  CHECK(heap.take_due(at(0), 10).empty());
  CHECK(heap.take_due(at(3), 10) == std::vector<session_id>{b, a});
  CHECK(heap.earliest() == at(9));
  CHECK(heap.size() == 1);
}

TEST_CASE("a tree has one deadline: the last one set") {
  deadline_heap heap;
  heap.set(a, at(1));
  heap.set(a, at(5));
  CHECK(heap.take_due(at(4), 10).empty());
  heap.set(a, std::nullopt);
  CHECK_FALSE(heap.earliest());
  heap.set(a, std::nullopt);
  CHECK(heap.take_due(at(100), 10).empty());
}

TEST_CASE("trees that are left have no deadline any more") {
  deadline_heap heap;
  heap.set(a, at(1));
  heap.set(b, at(2));
  heap.set(c, at(2));
  heap.drop_if([](const session_id& root) { return root != b; });
  CHECK(heap.size() == 1);
  CHECK(heap.take_due(at(9), 10) == std::vector<session_id>{b});
}

TEST_CASE("no more are taken than asked for") {
  deadline_heap heap;
  heap.set(a, at(1));
  heap.set(b, at(1));
  CHECK(heap.take_due(at(1), 1).size() == 1);
  CHECK(heap.size() == 1);
  heap.clear();
  CHECK_FALSE(heap.earliest());
}
