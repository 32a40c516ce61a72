#include "services/state-sync/core/suspects.hpp"

#include <doctest/doctest.h>

namespace throughline::state_sync {
namespace {

const session_id root{"ses_root"};
const attachment_id a1{"a1"};

/// A tree with one attachment of which three frames are applied.
struct bench {
  bench() {
    tree_rows r;
    r.sessions.push_back({.id = root, .root = root});
    r.attachments.push_back({.id = a1, .root = root, .number = 1, .applied = 3});
    tree.emplace(std::move(r));
  }
  attachment_row& row() { return tree->attachments.at(a1); }
  /// What a life of an owner makes of the hand-over.
  caution look(const hand_over& h, std::string_view owner, std::uint64_t deadly = 0) {
    const context at{.owner = owner};
    decision out;
    step s(*tree, at, out);
    const bool marks = needs_mark(*tree, h, owner);
    const auto how = examine(s, row(), h, deadly);
    CHECK(marks == (how == caution::mark));
    return how;
  }
  std::optional<tree_state> tree;
};

hand_over frames(std::uint64_t from, std::uint64_t through, std::uint32_t attempt) {
  hand_over h{.session = root, .attachment = a1, .attempt = attempt};
  for (auto n = from; n <= through; ++n) h.frames.push_back({n, agent::ping{}});
  return h;
}

}  // namespace

TEST_CASE("frames are suspect from the third attempt on") {
  bench b;
  CHECK(b.look(frames(4, 6, 1), "one") == caution::none);
  CHECK(b.look(frames(4, 6, suspect_attempt - 1), "one") == caution::none);
  CHECK(b.look(frames(4, 6, suspect_attempt), "one") == caution::mark);
  CHECK(b.look(frames(4, 6, suspect_attempt), "one") == caution::alone);
}

TEST_CASE("two lives may try a frame; it is the third that refuses it") {
  bench b;
  REQUIRE(b.look(frames(4, 4, 3), "one") == caution::mark);
  CHECK(b.look(frames(4, 4, 3), "two") == caution::mark);
  CHECK(b.look(frames(4, 4, 3), "two") == caution::alone);
  CHECK(b.row().suspect->tried_by.size() == lives_max);
  CHECK(b.look(frames(4, 4, 1), "three") == caution::poison);
}

TEST_CASE("a life that gets its shard back has not died of what it tried: it tries again, and counts no further") {
  bench b;
  REQUIRE(b.look(frames(4, 4, 3), "one") == caution::mark);
  REQUIRE(b.look(frames(4, 4, 3), "two") == caution::mark);
  CHECK(b.look(frames(4, 4, 3), "one") == caution::alone);
  CHECK(b.look(frames(4, 4, 3), "two") == caution::alone);
}

TEST_CASE("a frame that costs its owner the connection whenever it is tried is refused by that owner") {
  bench b;
  CHECK(b.look(frames(4, 4, 3), "one", 4) == caution::mark);
  CHECK(b.look(frames(4, 4, 3), "one", 3) == caution::alone);  // it was another frame
  CHECK(b.look(frames(4, 4, 3), "one", 4) == caution::poison);
}

TEST_CASE("lives are counted for each frame anew") {
  bench b;
  REQUIRE(b.look(frames(4, 6, 3), "one") == caution::mark);
  REQUIRE(b.look(frames(4, 6, 3), "two") == caution::mark);
  b.row().applied = 4;
  move_mark(b.row(), 4);
  CHECK(b.row().suspect->number == 5);
  CHECK(b.look(frames(5, 6, 1), "three") == caution::mark);
  CHECK(b.look(frames(5, 6, 1), "four") == caution::mark);
  CHECK(b.look(frames(5, 6, 1), "five") == caution::poison);
}

TEST_CASE("what the agent says meanwhile is not suspect: a stream gets out of suspicion however long it is") {
  bench b;
  REQUIRE(b.look(frames(4, 5, 3), "one") == caution::mark);
  b.row().applied = 4;
  move_mark(b.row(), 4);
  REQUIRE(b.look(frames(5, 9, 1), "one") == caution::mark);
  CHECK(b.row().suspect->through == 5);
  b.row().applied = 5;
  move_mark(b.row(), 5);
  CHECK_FALSE(b.row().suspect);
  CHECK(b.look(frames(6, 20, 1), "one") == caution::none);
  // Unless that goes unanswered as well.
  REQUIRE(b.look(frames(6, 20, 3), "one") == caution::mark);
  CHECK(b.row().suspect->through == 20);
}

}  // namespace throughline::state_sync
