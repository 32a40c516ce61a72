#pragma once
// Changes made by hand: what a decision would write.

#include "services/state-sync/core/rows.hpp"

namespace throughline::testing {

inline const session_id sample_session{"ses_01h2xcejqtf2nbrexx3vqjhp41"};
inline const session_id sample_child{"ses_01h2xcejqtf2nbrexx3vqjhq41"};
inline const interaction_id sample_turn{"int_01h2xcejqtf2nbrexx3vqjhp41"};

inline instant at_us(std::int64_t us) {
  return instant(micros(1'760'000'000'000'000 + us));
}

inline state_sync::session_row session_of(const session_id& id) {
  state_sync::session_row s;
  s.id = id;
  s.root = sample_session;
  if (id != sample_session) s.parent = sample_session;
  s.owner = user_id("alice");
  s.name = "A \"name\" 😀";
  s.created = at_us(1);
  s.updated = at_us(2);
  s.agent_since = at_us(3);
  return s;
}

inline event session_event(const session_id& id, position at) {
  auto s = std::make_shared<session>();
  s->id = id;
  s->owner = user_id("alice");
  s->head = at;
  event e;
  e.session = id;
  e.at = at;
  e.owner = s->owner;
  e.created = at_us(static_cast<std::int64_t>(at.seq));
  e.body = std::shared_ptr<const session>(std::move(s));
  return e;
}

inline event turn_event(const state_sync::turn_row& t, position at) {
  event e;
  e.session = t.record.session;
  e.at = at;
  e.owner = user_id("alice");
  e.interaction = t.record.id;
  e.created = at_us(static_cast<std::int64_t>(at.seq));
  e.body = std::make_shared<const interaction>(t.record);
  return e;
}

inline event patch_event(position at, patch_set patches) {
  event e;
  e.session = sample_session;
  e.at = at;
  e.owner = user_id("alice");
  e.interaction = sample_turn;
  e.created = at_us(static_cast<std::int64_t>(at.seq));
  e.body = std::move(patches);
  return e;
}

inline state_sync::head_row head_of(const session_id& id, std::uint64_t seq, bool open = false) {
  state_sync::head_row h;
  h.id = id;
  h.seq = seq;
  h.open = open;
  return h;
}

/// A new session: head 1.
inline state_sync::changes new_session(std::uint64_t epoch, const session_id& id = sample_session) {
  state_sync::changes c;
  c.heads = {head_of(id, 1)};
  c.sessions = {session_of(id)};
  c.events = {session_event(id, {epoch, 1})};
  return c;
}

inline state_sync::turn_row open_turn() {
  state_sync::turn_row t;
  t.record.session = sample_session;
  t.record.id = sample_turn;
  t.record.ordinal = 1;
  t.record.created = at_us(10);
  t.record.updated = at_us(11);
  t.record.prompt_message = "What is \\ and \"?";
  t.record.prompt = prompt_id("p1");
  return t;
}

inline entry text_entry(const char* id, std::string content) {
  return {message_id(id), entry_type::text, std::move(content), "", ""};
}

}  // namespace throughline::testing
