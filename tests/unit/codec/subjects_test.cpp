#include "common/codec/subjects.hpp"

#include <doctest/doctest.h>

using namespace throughline;
using namespace throughline::codec;

namespace {
const session_id ses("ses_01h2xcejqtf2nbrexx3vqjhp7z");
}

TEST_CASE("subjects are built from well-formed ids") {
  CHECK(shard_subject(shard_number{0}) == "tl1.in.0");
  CHECK(shard_subject(shard_number{255}) == "tl1.in.255");
  CHECK(shard_subject(ses) == "tl1.in.255");
  CHECK(event_subject(ses) == "tl1.ev.ses_01h2xcejqtf2nbrexx3vqjhp7z");
  CHECK(bridge_subject(bridge_id("brg_01h2xcejqtf2nbrexx3vqjhp41")) == "tl1.bridge.brg_01h2xcejqtf2nbrexx3vqjhp41");
}

TEST_CASE("an id that could mean another subject gives none") {
  CHECK(shard_subject(session_id("ses_x")) == "");
  CHECK(event_subject(session_id("*")) == "");
  CHECK(event_subject(session_id(">")) == "");
  CHECK(bridge_subject(bridge_id("")) == "");
  CHECK(bridge_subject(bridge_id("brg_a.b")) == "");
  CHECK(bridge_subject(bridge_id("brg_*")) == "");
  CHECK(bridge_subject(bridge_id("brg_a b")) == "");
  CHECK(bridge_subject(bridge_id(std::string(65, 'a'))) == "");
}

TEST_CASE("requests go to their session's shard") {
  CHECK(subject_of(post_prompt{.session = ses}) == "tl1.in.255");
  CHECK(subject_of(hand_over{.session = ses}) == "tl1.in.255");
  CHECK(retry_subject_of(read_snapshot{ses}) == "tl1.in.255");
  CHECK(retry_subject_of(read_heads{{ses}}) == "tl1.in.255");
  CHECK(retry_subject_of(read_heads{}) == "tl1.read");
  CHECK(retry_subject_of(list_sessions{}) == "tl1.read");
  CHECK(retry_subject_of(find_agent_token{"x"}) == "tl1.read");
}

TEST_CASE("subjects are read back") {
  CHECK(parse_shard_subject("tl1.in.0") == shard_number{0});
  CHECK(parse_shard_subject("tl1.in.255") == shard_number{255});
  for (const char* bad :
       {"tl1.in.", "tl1.in.256", "tl1.in.00", "tl1.in.01", "tl1.in.-1", "tl1.in.1x", "tl1.ev.1", ""}) {
    CHECK_FALSE(parse_shard_subject(bad));
  }
  CHECK(parse_event_subject(event_subject(ses)) == ses);
  CHECK_FALSE(parse_event_subject("tl1.ev.*"));
  CHECK_FALSE(parse_event_subject("tl1.in.0"));
  CHECK(parse_bridge_subject("tl1.bridge.brg_1") == bridge_id("brg_1"));
  CHECK_FALSE(parse_bridge_subject("tl1.bridge.a.b"));
}
