#include "services/state-sync/shell/batch_split.hpp"

#include <new>
#include <system_error>

#include <doctest/doctest.h>

#include "services/state-sync/shell/store/columns.hpp"

using namespace throughline;
using namespace throughline::state_sync;

namespace {

pending_input prompt(const char* session, const char* id) {
  pending_input p;
  p.to = session_id(session);
  p.what = asked{post_prompt{{user_id("u"), id, "f"}, p.to, "text", false}, 1, std::nullopt};
  return p;
}

pending_input frames(const char* session, std::uint64_t first, std::size_t count) {
  hand_over h;
  h.session = session_id(session);
  for (std::size_t i = 0; i < count; ++i) h.frames.push_back({first + i, agent_event(agent::ping{})});
  pending_input p;
  p.to = h.session;
  p.what = asked{std::move(h), 42, std::nullopt};
  return p;
}

const hand_over& frames_in(const pending_input& p) {
  return std::get<hand_over>(p.request()->request);
}
const std::string& id_in(const pending_input& p) {
  return std::get<post_prompt>(p.request()->request).by.id;
}

std::vector<pending_input> batch_of(std::initializer_list<pending_input> inputs) {
  return inputs;
}

}  // namespace

TEST_CASE("a batch of several sessions falls into sessions, order kept") {
  const auto parts = split_batch(batch_of({prompt("a", "1"), prompt("b", "2"), prompt("a", "3")}));
  REQUIRE(parts.size() == 2);
  REQUIRE(parts[0].size() == 2);
  CHECK(id_in(parts[0][0]) == "1");
  CHECK(id_in(parts[0][1]) == "3");
  CHECK(id_in(parts[1][0]) == "2");
}

TEST_CASE("the inputs of one session are tried one by one") {
  const auto parts = split_batch(batch_of({prompt("a", "1"), prompt("a", "2")}));
  REQUIRE(parts.size() == 2);
  CHECK(id_in(parts[1][0]) == "2");
}

TEST_CASE("a hand-over falls into frames, and the last one answers the bridge") {
  const auto parts = split_batch(batch_of({frames("a", 5, 3)}));
  REQUIRE(parts.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE(frames_in(parts[i][0]).frames.size() == 1);
    CHECK(frames_in(parts[i][0]).frames[0].number == 5 + i);
    CHECK(parts[i][0].request()->from == (i == 2 ? 42 : 0));
  }
}

TEST_CASE("what cannot be taken apart comes back") {
  CHECK(split_batch({}).empty());
  CHECK(split_batch(batch_of({prompt("a", "1")})).size() == 1);
  CHECK(split_batch(batch_of({frames("a", 5, 1)})).size() == 1);
}

TEST_CASE("the number of a frame at fault is consumed by an empty frame") {
  const auto emptied = empty_of(frames("a", 5, 1));
  REQUIRE(emptied);
  CHECK(frames_in(*emptied).frames[0].number == 5);
  CHECK_FALSE(frames_in(*emptied).frames[0].event);
  CHECK_FALSE(empty_of(*emptied));
  CHECK_FALSE(empty_of(frames("a", 5, 2)));
  CHECK_FALSE(empty_of(prompt("a", "1")));
}

TEST_CASE("an input's fault is what the database says of it, or a row that cannot be read; nothing else") {
  using io::failure_kind;
  CHECK(fault_of(pqxx::sql_error("bad", "q", "22021")) == failure_kind::input_fault);
  CHECK(fault_of(bad_stored("a word nobody writes")) == failure_kind::input_fault);
  CHECK(fault_of(pqxx::conversion_error("not a number")) == failure_kind::input_fault);
  CHECK(fault_of(pqxx::sql_error("full", "q", "53100")) == failure_kind::environment);
  CHECK(fault_of(std::bad_alloc()) == failure_kind::environment);
  CHECK(fault_of(std::system_error(std::make_error_code(std::errc::too_many_files_open))) == failure_kind::environment);
  CHECK(fault_of(std::length_error("too long")) == failure_kind::environment);
  CHECK(fault_of(pqxx::broken_connection("gone")) == failure_kind::connection_lost);
}
