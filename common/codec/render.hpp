#pragma once
// The JSON text that viewers and HTTP callers receive (design 5.3, 5.4). Everything is appended to `out`; event bodies
// are rendered once and stored and published as they are (design 3.8). parse.hpp reads back what is stored.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/position.hpp"
#include "common/base/result.hpp"
#include "common/model/event.hpp"
#include "common/model/interaction.hpp"
#include "common/model/session.hpp"

namespace throughline::codec {

/// Bodies that were rendered before, in order: nothing is rendered twice.
using rendered = std::span<const std::string_view>;

/// Session JSON; `interactions` absent: null. `epoch` and `seq` are those of `s.head`.
void render_session(std::string& out, const session& s, std::optional<rendered> interactions);
/// Interaction JSON; `entries_sha256` when the state is terminal. Entries without content are left out.
void render_interaction(std::string& out, const interaction& i);

/// The frame of a committed event, of any kind. Of a session_update, the session's `head` is taken to be `e.at`.
void render_event(std::string& out, const event& e);
/// The same for a patch without an `event` made for it: the hot path.
void render_patch_event(std::string& out, const session_id& session, const interaction_id& interaction,
                        const user_id& owner, position at, const patch_set& set);

/// The first frame of a user socket: the full state, with `interactions` oldest first.
void render_full_update(std::string& out, const session& s, rendered interactions);
/// The v1 baseline: an interaction_patch with all entries in full, at the snapshot's position (design 5.4).
void render_baseline(std::string& out, const interaction& i, const user_id& owner, position at);

/// One patch list as SSE chunks carry it: `[...]`.
void render_patches(std::string& out, const patch_set& set);

/// {sessions|interactions, page, pageSize, totalCount, totalPages}
struct page_of {
  std::uint64_t page = 0;
  std::uint64_t per_page = 0;
  std::uint64_t total = 0;
};
void render_session_page(std::string& out, rendered sessions, const page_of& page);
void render_interaction_page(std::string& out, rendered interactions, const page_of& page);

/// One element of GET /agents, and the whole of it.
void render_agent(std::string& out, const session_id& session, const agent_view& agent);
void render_agents(std::string& out, rendered agents);

/// Bodies of answers (design 5.2, 5.3).
std::string error_body(std::string_view code, std::string_view message);
/// The one answer for a session that is missing, malformed, deleted or not visible (design 5.2, G9).
error no_such_session();
/// A child session has the grants and tokens of its root (design 5.2).
error is_child_session();
/// `state` is "running" or "queued"; `at` is the event that recorded the prompt.
std::string message_body(const prompt_id& prompt, const interaction_id& interaction, bool running, position at);
std::string cancel_body(bool cancelled);  ///< {"status":"cancelled"|"noop"}
std::string deleted_body(const session_id& session);
std::string grant_body(const grant& g);
std::string grants_body(const std::vector<grant>& grants);
/// Without the secret, which never leaves the gateway: it adds `token` / `key` with `with_field`.
std::string agent_token_body(const session_id& session, std::optional<instant> expires);
std::string api_key_body(std::string_view id, std::string_view name, instant created);
/// `body` (a JSON object) with one more string field in front.
std::string with_field(std::string_view body, std::string_view name, std::string_view value);

/// The body of an access_changed notice: {"epoch","owner","version","grants":[{user,role}]}.
void render_access(std::string& out, const access_list& access, std::uint64_t epoch);
/// A list of entries as a fold stores it: all of them, the empty ones too (parse_entries).
void render_entries(std::string& out, const std::vector<entry>& entries);
/// Token counts as a fold stores them; absent counts are left out (parse_usage).
void render_usage(std::string& out, const token_usage& usage);

std::string_view name_of(agent_status s);
std::string_view name_of(turn_state s);
std::string_view name_of(role r);
std::string_view name_of(entry_type t);
std::string_view name_of(event_kind k);

}  // namespace throughline::codec
