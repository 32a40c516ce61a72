#include "services/state-sync/shell/store/write_set.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::state_sync;

namespace {

const session_id s{"ses_01h2xcejqtf2nbrexx3vqjhp41"};

head_row head(std::uint64_t seq) {
  head_row h;
  h.id = s;
  h.seq = seq;
  return h;
}

prompt_row prompt(const char* id) {
  prompt_row p;
  p.session = s;
  p.prompt.interaction = interaction_id(id);
  return p;
}

turn_row turn(turn_state state) {
  turn_row t;
  t.record.session = s;
  t.record.id = interaction_id("int_1");
  t.record.state = state;
  return t;
}

event shown(std::uint64_t seq, const turn_row& t) {
  event e;
  e.session = s;
  e.at = {1, seq};
  e.interaction = t.record.id;
  e.body = std::make_shared<const interaction>(t.record);
  return e;
}

}  // namespace

TEST_CASE("each row is written once: the later decision wins") {
  write_set set;
  changes first;
  first.heads = {head(1)};
  first.prompts = {prompt("int_1"), prompt("int_2")};
  set.add(first);
  changes second;
  second.heads = {head(4)};
  second.prompts_gone = {{s, interaction_id("int_1")}};
  set.add(second);
  CHECK(set.heads.at(s).seq == 4);
  CHECK_FALSE(set.prompts.at({s, interaction_id("int_1")}));
  CHECK(set.prompts.at({s, interaction_id("int_2")}));
}

TEST_CASE("tokens minted after a revocation live, those before it do not") {
  write_set set;
  changes mint, revoke, again;
  mint.tokens = {{"old", s, {}, {}}};
  revoke.tokens_gone = {s};
  again.tokens = {{"new", s, {}, {}}};
  set.add(mint);
  set.add(revoke);
  set.add(again);
  CHECK(set.tokens_gone.contains(s));
  CHECK_FALSE(set.tokens.contains("old"));
  CHECK(set.tokens.contains("new"));
}

TEST_CASE("a turn gets its beginning and its body from its events") {
  write_set set;
  changes begin;
  begin.turns = {turn(turn_state::waiting)};
  begin.events = {shown(7, begin.turns[0])};
  set.add(begin);
  const auto& written = set.turns.at({s, interaction_id("int_1")});
  CHECK(written.began_seq == 7);
  CHECK_FALSE(written.body);

  changes end;
  end.turns = {turn(turn_state::complete)};
  end.events = {shown(9, end.turns[0])};
  set.add(end);
  CHECK(written.began_seq == 7);
  REQUIRE(written.body);
  CHECK(written.body->find("entries_sha256") != std::string::npos);
  REQUIRE(set.events.size() == 2);
  CHECK(set.events[1].body.find("\"seq\":9") != std::string::npos);
}

TEST_CASE("a turn whose row changes without an event keeps its stored body") {
  write_set set;
  changes flag;
  flag.turns = {turn(turn_state::complete)};
  set.add(flag);
  CHECK_FALSE(set.turns.at({s, interaction_id("int_1")}).body);
}

TEST_CASE("the writes of two trees stand side by side") {
  write_set one, two;
  changes c;
  c.heads = {head(1)};
  c.events = {shown(1, turn(turn_state::waiting))};
  one.add(c);
  c.heads[0].id = session_id("other");
  two.add(c);
  one.add(std::move(two));
  CHECK(one.heads.size() == 2);
  CHECK(one.events.size() == 2);
}
