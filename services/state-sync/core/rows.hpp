#pragma once
// What is kept of a session tree, row by row, as the schema has it. The core decides with these values and names the
// rows it changed; the store reads and writes them and decides nothing. `shell/` and `schema/` follow this file.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/instant.hpp"
#include "common/model/agent_event.hpp"
#include "common/model/event.hpp"
#include "common/model/interaction.hpp"
#include "common/model/session.hpp"

namespace throughline::state_sync {

/// Table sessions, one per session; `head` and `last_event_at` stand in session_heads (the narrow row of every write).
struct session_row {
  session_id id;
  session_id root;  ///< own id for a root
  std::optional<session_id> parent;
  user_id owner;
  std::string name;
  std::string agent_name_wanted;
  std::string metadata = "{}";
  instant created;
  instant updated;
  agent_status status = agent_status::offline;
  std::string agent_name;
  instant agent_since;
  std::optional<thread_id> zed_thread;
  std::optional<interaction_id> waiting_interaction;
  std::optional<request_id> last_request;
  std::optional<instant> request_started_at;
  std::uint64_t next_ordinal = 1;  ///< of the next interaction; next_ordinal - 1 is interactions_total
  bool deleted = false;
};

/// Table session_heads. `version` is the store's: raised with every write of the session, compared as it was loaded,
/// neither read nor changed by the core.
struct head_row {
  session_id id;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  std::uint64_t version = 0;
  std::uint64_t acl_version = 0;
  std::optional<instant> last_event_at;
  bool open = false;  ///< has an open turn, a queued prompt or an attachment: loaded on takeover (design 3.5)
};

/// Table threads, key (root, thread). An empty `session` (NULL): announced only, its child session appears with its
/// first user entry, called `title`.
struct thread_row {
  session_id root;
  thread_id thread;
  session_id session;
  bool retired = false;
  std::string title;
};

enum class turn_origin { prompt, editor, unasked };

/// A message id and the hash of the content it ended with: what the replay filter needs of a finished turn (6.1 rule
/// 3).
struct entry_digest {
  message_id id;
  std::uint64_t length = 0;  ///< bytes
  std::uint64_t hash = 0;    ///< delta::hash_of the content
};

/// An entry that has no content so far, and its place among all entries of the turn.
struct silent_entry {
  std::size_t place = 0;
  entry value;
};

/// What one patch event weighs against a fold (see fold_row): its text, and the row and frame around it.
inline std::uint64_t weight_of(const patch_set& patches) {
  std::uint64_t weight = 256;
  for (const auto& p : patches.patches) weight += 64 + p.patch.size();
  return weight;
}

/// Table interactions, key (session, interaction).
/// Loaded: for an open turn `record.entries` (visible ones only) is rebuilt from the last fold and the patch events
/// after it, and `unfolded_weight` is the sum of their weights; for a finished one `record.entries` is left empty and
/// only the digests are read (`facts_needed` asks for more).
/// Written (`changes::turns`): the entries column is written for a finished turn only, in full; for an open turn
/// `record.entries` is empty and the stored entries stay as they are (a fold_row writes them). `unfolded_weight` is no
/// column.
struct turn_row {
  interaction record;
  turn_origin origin = turn_origin::prompt;
  std::optional<thread_id> thread;
  std::optional<message_id> prompt_message_id;  ///< of a prompt typed in the editor
  std::vector<silent_entry> silent;
  std::vector<entry_digest> digests;  ///< of a finished turn
  /// Typed in the editor: the id that the agent tags this one with, another turn's or nobody's; it names this one once
  /// no other turn that it names is open (6.1 rule 2).
  std::optional<request_id> taken_over;
  std::optional<command_id> command;       ///< of its chat_message; absent: to be sent (again) at the next readiness
  bool named = false;                      ///< a frame of the agent has named it
  bool interrupt = false;                  ///< as the prompt was posted
  bool load_retried = false;               ///< sent once more without a thread (6.3)
  bool in_doubt = false;                   ///< 6.4
  bool end_owed = false;                   ///< finished, but not by the agent's word, which may still come
  std::optional<instant> lost_since;       ///< first detach since dispatch or its last own frame
  std::optional<instant> doubt_since;      ///< start of the clock of a turn in doubt
  std::optional<instant> last_frame_at;    ///< only kept where a rule needs it across a restart (unasked: 60 s)
  std::optional<instant> cancel_deadline;  ///< a cancel is on its way
  std::vector<std::string> cancel_ids;     ///< of callers that wait for the cancel's decision: "user\nid\nfingerprint"
  bool truncated = false;                  ///< 32 MiB were reached: no more text is stored
  std::uint64_t folded_seq = 0;            ///< events of this turn above it are not in the stored entries
  std::uint64_t unfolded_weight = 0;       ///< of those events; counted by the store when it loads
};

/// Table prompts: the queue, in `place` order.
struct prompt_row {
  session_id session;
  queued_prompt prompt;
  std::uint64_t place = 0;  ///< an interrupt gets a place before the others
};

enum class attachment_state { live, superseded, sealed, detached };

/// Frames that may have killed their owners (design 3.6), applied one at a time, `number` next.
struct suspect_mark {
  std::uint64_t number = 0;
  std::uint64_t through = 0;          ///< the last of them
  std::vector<std::string> tried_by;  ///< lives of owners that have committed that they try `number`, each once
};

/// Table attachments, key attachment; belongs to a root.
struct attachment_row {
  attachment_id id;
  session_id root;
  std::uint64_t number = 0;
  bridge_id bridge;
  std::optional<std::string> instance;
  attachment_state state = attachment_state::live;
  bool gate_open = false;
  std::optional<instant> gate_deadline;
  std::optional<request_id> open_thread_request;  ///< of its open_thread: a load error under it opens the gate
  std::optional<instant> ready_at;
  std::uint64_t applied = 0;  ///< highest number applied
  /// Highest number of its own that the instance's frames had, over this attachment or one before it; 0: it has none.
  std::uint64_t agent_seq = 0;
  bool restarted = false;  ///< another instance was there before; what ran on that is not decided yet (6.3)
  std::optional<std::uint64_t> last_number;  ///< the last its bridge will ever hand over: told by detach or seal
  instant attached_at;
  std::optional<instant> superseded_at;
  std::optional<suspect_mark> suspect;
  std::string token_hash;
};

enum class command_state { sent, written };
enum class command_kind { chat_message, open_thread, cancel_current_turn };

/// Table commands: sent and not answered yet, or a chat_message that was written and whose turn is open. One known not
/// to have been written is deleted. The body is built from the turn.
struct command_row {
  command_id id;
  session_id session;
  attachment_id attachment;
  command_kind kind = command_kind::chat_message;
  std::optional<interaction_id> interaction;
  request_id request;
  std::optional<thread_id> thread;
  bool interrupt = false;
  command_state state = command_state::sent;
  bool redelivered = false;  ///< a chat_message that its agent may have had before (6.3)
};

struct grant_row {
  session_id root;
  grant value;
};

struct agent_token_row {
  std::string hash;
  session_id session;
  instant created;
  std::optional<instant> expires;
};

/// Table answers, key (scope, id): the stored answer of a mutation (5.3). Scope is a session id, or `user:` + user id
/// for creation.
struct answer_row {
  std::string scope;
  std::string id;
  std::string fingerprint;
  int status = 200;
  std::string body;
  bool secret = false;  ///< the answer showed a secret: a repeat is `already_issued`
  instant created;
};

/// The visible entries of an open turn as of `seq`: the store writes them to the interaction's entries column and sets
/// its folded_seq (geometric: made when the events since the last fold weigh more than the fold would, so that reading
/// an open turn costs at most twice its size).
struct fold_row {
  session_id session;
  interaction_id interaction;
  std::uint64_t seq = 0;
  std::shared_ptr<const std::vector<entry>> entries;
};

/// Everything one decision changes, in one transaction. Rows are whole rows (insert or update by key).
struct changes {
  std::vector<event> events;    ///< in seq order per session
  std::vector<head_row> heads;  ///< every session of the tree that changes in any way, the root always (3.3)
  std::vector<session_row> sessions;
  std::vector<thread_row> threads;
  std::vector<turn_row> turns;
  std::vector<fold_row> folds;
  std::vector<prompt_row> prompts;
  std::vector<std::pair<session_id, interaction_id>> prompts_gone;
  std::vector<attachment_row> attachments;
  std::vector<attachment_id> attachments_gone;
  std::vector<command_row> commands;
  std::vector<command_id> commands_gone;
  std::vector<grant_row> grants;
  std::vector<std::pair<session_id, user_id>> grants_gone;
  std::vector<agent_token_row> tokens;
  std::vector<session_id> tokens_gone;  ///< all of the session's
  std::vector<answer_row> answers;

  bool empty() const { return heads.empty(); }
};

/// All that a decision about a tree may need, as stored.
struct tree_rows {
  std::vector<head_row> heads;
  std::vector<session_row> sessions;  ///< the root first; deleted ones included
  std::vector<thread_row> threads;
  std::vector<turn_row> turns;  ///< open ones with entries; finished ones with digests only
  std::vector<prompt_row> prompts;
  std::vector<attachment_row> attachments;  ///< all of the root (the core keeps the newest few)
  std::vector<command_row> commands;
  std::vector<grant_row> grants;
  std::vector<agent_token_row> tokens;
};

}  // namespace throughline::state_sync
