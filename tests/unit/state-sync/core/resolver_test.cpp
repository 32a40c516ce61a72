#include "services/state-sync/core/resolver.hpp"

#include <algorithm>

#include <doctest/doctest.h>

#include "common/delta/text.hpp"

namespace throughline::state_sync {
namespace {

const thread_id t1{"t1"};
const session_id root{"ses_root"};

turn_row turn_of(const char* id, std::uint64_t ordinal, turn_state state) {
  turn_row t{.thread = t1};
  t.record.id = interaction_id{id};
  t.record.session = root;
  t.record.ordinal = ordinal;
  t.record.state = state;
  return t;
}

/// int_1 finished with entry 1 "old"; int_2 finished, typed in the editor under int_1's id; int_3 open.
tree_rows rows(bool with_open = true) {
  tree_rows r;
  r.sessions.push_back({.id = root, .root = root});
  r.heads.push_back({.id = root, .epoch = 1});
  r.threads.push_back({root, t1, root});
  r.threads.push_back({root, thread_id{"gone"}, root, true});
  r.threads.push_back({root, thread_id{"announced"}, session_id{}});
  r.turns.push_back(turn_of("int_1", 1, turn_state::complete));
  r.turns.back().digests = {{message_id{"1"}, 3, delta::hash_of("old")}};
  if (!with_open) return r;
  r.turns.push_back(turn_of("int_3", 3, turn_state::waiting));
  r.turns.back().command = command_id{"cmd_3"};
  return r;
}

agent::message_added said(const char* thread, const char* id, const char* text, const char* request) {
  return {.thread = thread_id{thread},
          .message = message_id{id},
          .content = {.text = text},
          .request = request_id{request}};
}

belonging of(tree_state& tree, const agent::message_added& m) {
  return resolve(tree, {.thread = &m.thread, .request = &m.request, .output = &m});
}

}  // namespace

TEST_CASE("rule 1: the id of an open turn decides, whatever the thread and however old the content") {
  tree_state tree(rows());
  for (const auto* thread : {"t1", "unheard-of", "gone"}) {
    const auto b = of(tree, said(thread, "1", "old", "int_3"));
    CHECK(b.what == ruling::open_turn);
    CHECK(b.which->id() == interaction_id{"int_3"});
  }
}

TEST_CASE("rule 2: the id of a finished turn stays its own") {
  tree_state tree(rows());
  const auto b = of(tree, said("t1", "9", "late", "int_1"));
  CHECK(b.what == ruling::finished_turn);
  CHECK(b.which->id() == interaction_id{"int_1"});
}

TEST_CASE("rule 2: unless a turn typed in the editor has taken it over") {
  auto r = rows();
  r.turns.push_back(turn_of("int_2", 2, turn_state::complete));
  r.turns.back().taken_over = request_id{"int_1"};
  SUBCASE("what the finished turn has said before is still its own") {
    tree_state tree(r);
    CHECK(of(tree, said("t1", "1", "corrected", "int_1")).which->id() == interaction_id{"int_1"});
  }
  SUBCASE("everything else is the later one's") {
    tree_state tree(r);
    CHECK(of(tree, said("t1", "2", "new", "int_1")).which->id() == interaction_id{"int_2"});
    const request_id id{"int_1"};
    CHECK(resolve(tree, {.request = &id}).which->id() == interaction_id{"int_2"});
  }
  SUBCASE("of several the latest, and on its thread only") {
    r.turns.push_back(turn_of("int_4", 4, turn_state::complete));
    r.turns.back().taken_over = request_id{"int_1"};
    r.threads.push_back({root, thread_id{"t2"}, root});
    tree_state tree(r);
    CHECK(of(tree, said("t1", "2", "new", "int_1")).which->id() == interaction_id{"int_4"});
    CHECK(of(tree, said("t2", "2", "new", "int_1")).which->id() == interaction_id{"int_1"});
  }
}

TEST_CASE("rule 3: without a name the thread decides, replays apart") {
  tree_state tree(rows());
  CHECK(of(tree, said("t1", "1", "old", "")).what == ruling::replay);
  CHECK(of(tree, said("t1", "1", "older", "")).which->id() == interaction_id{"int_3"});
  CHECK(of(tree, said("t1", "2", "old", "")).which->id() == interaction_id{"int_3"});
  CHECK(of(tree, said("t1", "2", "x", "req_unknown")).what == ruling::open_turn);
}

TEST_CASE("rule 3: a prompt that has not reached the agent is not what the thread speaks of") {
  auto r = rows();
  r.turns.back().command.reset();
  tree_state tree(r);
  CHECK(of(tree, said("t1", "2", "x", "")).what == ruling::no_turn);
  CHECK(of(tree, said("t1", "2", "x", "int_3")).what == ruling::open_turn);
}

TEST_CASE("rule 3: the last words of a turn typed before, while the prompt may not have arrived") {
  auto r = rows();
  r.turns.push_back(turn_of("int_2", 2, turn_state::interrupted));
  r.turns.back().origin = turn_origin::editor;
  r.turns.back().end_owed = true;
  r.commands.push_back({.id = command_id{"cmd_3"}, .session = root, .interaction = interaction_id{"int_3"}});
  const auto whose = [&](const char* request) {
    tree_state tree(r);
    return of(tree, said("t1", "2", "x", request)).which->id().text();
  };
  CHECK(whose("") == "int_2");
  CHECK(whose("req_unknown") == "int_3");
  SUBCASE("typed under an id that names no turn, it is that id") {
    r.turns.back().taken_over = request_id{"req_unknown"};
    CHECK(whose("req_unknown") == "int_2");
    CHECK(whose("") == "int_3");
  }
  SUBCASE("not once the prompt is known to have arrived") {
    r.commands.back().state = command_state::written;
    CHECK(whose("") == "int_3");
  }
  SUBCASE("nor when the agent has named it") {
    std::ranges::find(r.turns, 3u, [](const turn_row& t) { return t.record.ordinal; })->named = true;
    CHECK(whose("") == "int_3");
  }
  SUBCASE("nor when the turn before owes nothing, or was a prompt with an id of its own") {
    r.turns.back().end_owed = false;
    CHECK(whose("") == "int_3");
    r.turns.back().end_owed = true;
    r.turns.back().origin = turn_origin::prompt;
    CHECK(whose("") == "int_3");
  }
}

TEST_CASE("an error without an id is about the one turn that runs, else the one that has no id") {
  const request_id none;
  auto r = rows();
  const auto whose = [&] {
    tree_state tree(r);
    const auto b = resolve(tree, {.request = &none, .fails = true});
    return b.which ? b.which->id().text() : "";
  };
  CHECK(whose() == "int_3");
  r.turns.push_back(turn_of("int_4", 4, turn_state::waiting));
  r.turns.back().thread = thread_id{"t2"};
  r.turns.back().command = command_id{"cmd_4"};
  CHECK(whose().empty());
  r.turns.back().origin = turn_origin::editor;
  CHECK(whose() == "int_4");
  r.turns.back().taken_over = request_id{"req_1"};
  CHECK(whose().empty());
  r.turns.back().origin = turn_origin::unasked;
  CHECK(whose() == "int_3");
}

TEST_CASE("a frame without a thread finds a typed turn by the id it came under, whoever had that before") {
  auto r = rows();
  r.turns.push_back(turn_of("int_4", 4, turn_state::waiting));
  r.turns.back().thread = thread_id{"t2"};
  r.turns.back().origin = turn_origin::editor;
  r.turns.back().taken_over = request_id{"req_1"};
  tree_state tree(r);
  const request_id id{"req_1"}, other{"req_2"};
  CHECK(resolve(tree, {.request = &id, .fails = true}).which->id() == interaction_id{"int_4"});
  CHECK(resolve(tree, {.request = &other, .fails = true}).what == ruling::unknown);
}

TEST_CASE("rule 4: nothing is open on the thread") {
  tree_state tree(rows(false));
  CHECK(of(tree, said("t1", "2", "by itself", "")).what == ruling::no_turn);
  CHECK(of(tree, said("t1", "1", "old", "")).what == ruling::replay);
}

TEST_CASE("unknown, announced and retired threads own nothing") {
  tree_state tree(rows());
  for (const auto* thread : {"unheard-of", "announced", "gone"}) {
    CHECK(of(tree, said(thread, "2", "x", "")).what == ruling::unknown);
  }
}

TEST_CASE("what a frame may need of finished turns is named before it is applied") {
  tree_state tree(rows());
  CHECK(unread_for(tree, said("t1", "9", "late", "int_1")).size() == 1);
  CHECK(unread_for(tree, said("t1", "9", "now", "int_3")).empty());
  CHECK(unread_for(tree, agent::message_completed{.thread = t1, .request = request_id{"int_1"}}).size() == 1);
  CHECK(unread_for(tree, agent::chat_response_error{.request = request_id{"int_1"}}).size() == 1);
  CHECK(unread_for(tree, agent::chat_response_error{.request = request_id{"int_3"}}).empty());
  auto grown = said("t1", "1", "", "int_3");
  grown.content = delta::delta_between("old", delta::hash_of("old"), "older");
  REQUIRE(unread_for(tree, grown).size() == 1);
  CHECK_FALSE(whole_content(tree, grown));
}

}  // namespace throughline::state_sync
