#include "services/state-sync/core/tree.hpp"

#include <doctest/doctest.h>

namespace throughline::state_sync {
namespace {

const session_id root{"ses_root"};

attachment_row attachment(const char* id, std::uint64_t number, attachment_state state) {
  return {.id = attachment_id{id}, .root = root, .number = number, .state = state};
}

}  // namespace

TEST_CASE("a deleted session is not found, and its tree has no root") {
  tree_rows r;
  r.sessions.push_back({.id = root, .root = root, .deleted = true});
  r.heads.push_back({.id = root});
  tree_state tree(r);
  CHECK(tree.find(root) == nullptr);
  CHECK(tree.root() == nullptr);
  CHECK(tree.members.size() == 1);
}

TEST_CASE("only the newest attachment can be connected") {
  tree_rows r;
  r.attachments.push_back(attachment("a1", 1, attachment_state::live));
  r.attachments.push_back(attachment("a2", 2, attachment_state::detached));
  tree_state tree(r);
  CHECK(tree.newest()->id == attachment_id{"a2"});
  CHECK(tree.connected() == nullptr);
  tree_state none{tree_rows{}};
  CHECK(none.newest() == nullptr);
}

TEST_CASE("the queue stands by place, turns by ordinal") {
  tree_rows r;
  r.sessions.push_back({.id = root, .root = root});
  r.prompts.push_back({root, {.interaction = interaction_id{"int_b"}}, 9});
  r.prompts.push_back({root, {.interaction = interaction_id{"int_a"}}, 2});
  for (const auto ordinal : {2, 1}) {
    turn_row t;
    t.record.id = interaction_id{"int_" + std::to_string(ordinal)};
    t.record.session = root;
    t.record.ordinal = static_cast<std::uint64_t>(ordinal);
    r.turns.push_back(t);
  }
  tree_state tree(r);
  CHECK(tree.find(root)->queue.front().prompt.interaction == interaction_id{"int_a"});
  CHECK(tree.open.front()->id() == interaction_id{"int_1"});
}

TEST_CASE("commands about a turn carry the id it has taken over, once that names no other open turn") {
  tree_rows r;
  r.sessions.push_back({.id = root, .root = root});
  for (const auto* id : {"int_1", "int_2"}) {
    turn_row t;
    t.record.id = interaction_id{id};
    t.record.session = root;
    t.record.ordinal = r.turns.size() + 1;
    r.turns.push_back(t);
  }
  r.turns[1].taken_over = request_id{"int_1"};
  const interaction_id second{"int_2"};
  tree_state beside(r);
  CHECK(beside.request_of(*beside.find_turn(second)) == request_id{"int_2"});
  r.turns[0].record.state = turn_state::complete;
  tree_state after(r);
  CHECK(after.request_of(*after.find_turn(second)) == request_id{"int_1"});
  r.turns[1].taken_over = request_id{"req_unheard-of"};
  tree_state alone(r);
  CHECK(alone.request_of(*alone.find_turn(second)) == request_id{"req_unheard-of"});
}

}  // namespace throughline::state_sync
