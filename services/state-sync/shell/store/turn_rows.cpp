// Tables interactions (with the folds of open turns) and prompts (the queue).

#include "common/codec/parse.hpp"
#include "common/codec/render.hpp"
#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/packing.hpp"
#include "services/state-sync/shell/store/row_names.hpp"
#include "services/state-sync/shell/store/statements.hpp"
#include "services/state-sync/shell/store/store.hpp"
#include "services/state-sync/shell/store/turn_columns.hpp"

namespace throughline::state_sync {
namespace {

constexpr const char* write_turn =
    "INSERT INTO interactions (session_id, id, ordinal, created_us, updated_us, completed_us, state, error, "
    "error_code, prompt_message, prompt_id, usage, origin, thread, prompt_message_id, silent, digests, taken_over, "
    "command, named, interrupt, load_retried, in_doubt, end_owed, lost_since_us, doubt_since_us, last_frame_us, "
    "cancel_deadline_us, cancel_ids, "
    "truncated, folded_seq, began_seq, body) "
    "SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], "
    "$7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], "
    "$15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::boolean[], $21::boolean[], "
    "$22::boolean[], $23::boolean[], $24::boolean[], $25::bigint[], $26::bigint[], $27::bigint[], $28::bigint[], "
    "$29::text[], $30::boolean[], $31::bigint[], $32::bigint[], $33::text[]) "
    "ON CONFLICT (session_id, id) DO UPDATE SET updated_us = excluded.updated_us, "
    "completed_us = excluded.completed_us, state = excluded.state, error = excluded.error, "
    "error_code = excluded.error_code, usage = excluded.usage, thread = excluded.thread, "
    "prompt_message_id = excluded.prompt_message_id, silent = excluded.silent, "
    "digests = excluded.digests, taken_over = excluded.taken_over, command = excluded.command, "
    "named = excluded.named, interrupt = excluded.interrupt, load_retried = excluded.load_retried, "
    "in_doubt = excluded.in_doubt, end_owed = excluded.end_owed, lost_since_us = excluded.lost_since_us, "
    "doubt_since_us = excluded.doubt_since_us, last_frame_us = excluded.last_frame_us, "
    "cancel_deadline_us = excluded.cancel_deadline_us, cancel_ids = excluded.cancel_ids, "
    "truncated = excluded.truncated, body = coalesce(excluded.body, interactions.body)";

std::optional<std::string> usage_text(const interaction& i) {
  if (!i.usage) return std::nullopt;
  std::string text;
  codec::render_usage(text, *i.usage);
  return text;
}

/// The prompt goes out only with the event that begins the turn: it never changes, and may weigh 1 MiB.
void add_turn(row_batch& batch, const turn_write& w) {
  const auto& t = w.row;
  const auto& i = t.record;
  batch.add(i.session).add(i.id).add(i.ordinal).add(i.created).add(i.updated).add(i.completed);
  batch.add(codec::name_of(i.state)).add(i.error).add(i.error_code);
  batch.add(w.began_seq > 0 ? std::string_view(i.prompt_message) : std::string_view()).add(i.prompt);
  batch.add(usage_text(i)).add(origin_names(t.origin)).add(t.thread).add(t.prompt_message_id);
  batch.add(pack_silent(t.silent)).add(pack_digests(t.digests)).add(t.taken_over).add(t.command);
  batch.add(t.named).add(t.interrupt).add(t.load_retried).add(t.in_doubt).add(t.end_owed);
  batch.add(t.lost_since).add(t.doubt_since).add(t.last_frame_at).add(t.cancel_deadline).add(pack(t.cancel_ids));
  batch.add(t.truncated).add(t.folded_seq).add(w.began_seq).add(w.body);
}

}  // namespace

void prepare_turn_rows(pqxx::connection& sql) {
  const std::string of_trees =
      " FROM sessions s JOIN interactions i ON i.session_id = s.id WHERE s.root = ANY($1::text[])";
  sql.prepare("turns_load",
              "SELECT s.root, CASE WHEN i.state = 'waiting' THEN i.entries END, " THROUGHLINE_TURN_COLUMNS + of_trees +
                  " ORDER BY i.session_id, i.ordinal");
  sql.prepare("turns_tail",
              "SELECT i.session_id, i.id, e.body FROM sessions s JOIN interactions i ON i.session_id = s.id "
              "AND i.state = 'waiting' " THROUGHLINE_TAIL_JOIN
              " WHERE s.root = ANY($1::text[]) ORDER BY e.session_id, e.seq");
  sql.prepare("turn_finished", "SELECT i.body, " THROUGHLINE_TURN_COLUMNS
                               " FROM interactions i WHERE i.session_id = $1 AND i.id = $2 AND i.body IS NOT NULL");
  sql.prepare("turns_write", write_turn);
  sql.prepare("folds_write",
              "UPDATE interactions i SET entries = v.entries, folded_seq = v.seq "
              "FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) v(session_id, id, seq, entries) "
              "WHERE i.session_id = v.session_id AND i.id = v.id");
  sql.prepare("prompts_load",
              "SELECT s.root, p.session_id, p.prompt_id, p.interaction_id, p.content, p.interrupt, p.created_us, "
              "p.place FROM sessions s JOIN prompts p ON p.session_id = s.id WHERE s.root = ANY($1::text[]) "
              "ORDER BY p.session_id, p.place");
  sql.prepare("prompts_write",
              "INSERT INTO prompts (session_id, interaction_id, prompt_id, content, interrupt, created_us, place) "
              "SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::bigint[], "
              "$7::bigint[]) ON CONFLICT (session_id, interaction_id) DO UPDATE SET place = excluded.place, "
              "interrupt = excluded.interrupt");
  sql.prepare("prompts_delete",
              "DELETE FROM prompts p USING unnest($1::text[], $2::text[]) k(session_id, id) "
              "WHERE p.session_id = k.session_id AND p.interaction_id = k.id");
}

void store::load_turns(const std::string& roots, std::unordered_map<session_id, tree_rows>& trees) {
  open_turn_tail tails;
  for (const auto& row : run("turns_tail", {roots})) {
    row_reader r(row);
    std::pair key{r.id<session_id>(), r.id<interaction_id>()};
    tails[std::move(key)].push_back(r.text());
  }
  for (const auto& row : run("turns_load", {roots})) {
    row_reader r(row);
    auto& tree = trees[r.id<session_id>()];
    const auto fold = r.maybe_text();
    auto turn = read_turn_row(r);
    if (!is_terminal(turn.record.state)) {
      rebuild_entries(turn, fold, tails[{turn.record.session, turn.record.id}]);
    }
    tree.turns.push_back(std::move(turn));
  }
}

std::optional<turn_row> store::finished_turn(const session_id& session, const interaction_id& interaction) {
  const auto rows = run("turn_finished", {session.text(), interaction.text()});
  if (rows.empty()) return std::nullopt;
  row_reader r(rows[0]);
  auto record = codec::parse_interaction(r.text());
  if (!record) throw bad_stored(record.error().message);
  auto turn = read_turn_row(r);
  turn.record.entries = std::move(record->entries);
  return turn;
}

void store::load_queue(const std::string& roots, std::unordered_map<session_id, tree_rows>& trees) {
  for (const auto& row : run("prompts_load", {roots})) {
    row_reader r(row);
    auto& tree = trees[r.id<session_id>()];
    prompt_row p;
    p.session = r.id<session_id>();
    p.prompt = {r.id<prompt_id>(), r.id<interaction_id>(), r.text(), r.flag(), r.time()};
    p.place = r.number();
    tree.prompts.push_back(std::move(p));
  }
}

void store::write_turns(const write_set& what) {
  row_batch turns(33);
  for (const auto& [key, w] : what.turns) add_turn(turns, w);
  if (!turns.empty()) run("turns_write", turns.take());
  row_batch folds(4);
  for (const auto& [key, f] : what.folds) {
    std::string entries;
    codec::render_entries(entries, *f.entries);
    folds.add(f.session).add(f.interaction).add(f.seq).add(entries);
  }
  if (!folds.empty()) run("folds_write", folds.take());
}

void store::write_queue(const write_set& what) {
  row_batch gone(2);
  row_batch written(7);
  for (const auto& [key, p] : what.prompts) {
    if (!p) {
      gone.add(key.first).add(key.second);
      continue;
    }
    written.add(p->session).add(p->prompt.interaction).add(p->prompt.id).add(p->prompt.content);
    written.add(p->prompt.interrupt).add(p->prompt.created).add(p->place);
  }
  if (!gone.empty()) run("prompts_delete", gone.take());
  if (!written.empty()) run("prompts_write", written.take());
}

}  // namespace throughline::state_sync
