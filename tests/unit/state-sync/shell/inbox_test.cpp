#include "services/state-sync/shell/inbox.hpp"

#include <string>
#include <thread>

#include <doctest/doctest.h>

using namespace throughline::state_sync;

namespace {

using clock_type = inbox<std::string>::clock;
const auto long_ago = clock_type::time_point{};

bool put(inbox<std::string>& in, std::string text, std::size_t weight) {
  return in.put(text, weight);
}

}  // namespace

TEST_CASE("an inbox gives everything that piled up, in order") {
  inbox<std::string> in({10, 100});
  CHECK(put(in, "a", 1));
  CHECK(put(in, "b", 1));
  CHECK(in.take({10, 100}, long_ago) == std::vector<std::string>{"a", "b"});
  CHECK(in.take({10, 100}, long_ago).empty());
}

TEST_CASE("a full inbox refuses and leaves the item alone") {
  inbox<std::string> in({2, 10});
  CHECK(put(in, "a", 1));
  CHECK(put(in, "b", 8));
  std::string third = "c";
  CHECK_FALSE(in.put(third, 1));
  CHECK(third == "c");
  in.take({1, 100}, long_ago);
  CHECK_FALSE(in.put(third, 3));  // bytes: 8 are still there
  CHECK(in.put(third, 2));
}

TEST_CASE("control items are never refused") {
  inbox<std::string> in({1, 10});
  CHECK(put(in, "a", 10));
  in.put_always("control");
  CHECK(in.size() == 2);
}

TEST_CASE("a batch keeps to its bounds, but has one item at least") {
  inbox<std::string> in({10, 100});
  CHECK(put(in, "heavy", 50));
  CHECK(put(in, "x", 5));
  CHECK(put(in, "y", 5));
  CHECK(in.take({10, 20}, long_ago) == std::vector<std::string>{"heavy"});
  CHECK(in.take({1, 20}, long_ago) == std::vector<std::string>{"x"});
  CHECK(in.take({10, 20}, long_ago) == std::vector<std::string>{"y"});
}

TEST_CASE("what is unwanted is taken out of turn, and makes room") {
  inbox<std::string> in({3, 100});
  for (const auto* each : {"a", "late 1", "late 2"}) CHECK(put(in, each, 30));
  CHECK_FALSE(put(in, "b", 30));
  CHECK(in.take_if([](const std::string& what) { return what.starts_with("late"); }) ==
        std::vector<std::string>{"late 1", "late 2"});
  CHECK(put(in, "b", 70));
  CHECK(in.take({10, 100}, long_ago) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("closing wakes who waits, and what is there can still be taken") {
  inbox<std::string> in({10, 100});
  std::thread closer([&in] { in.close(); });
  CHECK(in.take({10, 100}, clock_type::now() + std::chrono::seconds(30)).empty());
  closer.join();
  CHECK_FALSE(put(in, "late", 1));
  CHECK(in.drained());

  inbox<std::string> other({10, 100});
  CHECK(put(other, "a", 1));
  other.close();
  CHECK_FALSE(other.drained());
  CHECK(other.take({10, 100}, long_ago).size() == 1);
  CHECK(other.drained());
}
