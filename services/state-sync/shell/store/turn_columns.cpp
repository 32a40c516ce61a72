#include "services/state-sync/shell/store/turn_columns.hpp"

#include "common/codec/parse.hpp"
#include "common/delta/patch_replayer.hpp"
#include "services/state-sync/shell/store/packing.hpp"
#include "services/state-sync/shell/store/row_names.hpp"

namespace throughline::state_sync {
namespace {

interaction read_record(row_reader& r) {
  interaction i;
  i.session = r.id<session_id>();
  i.id = r.id<interaction_id>();
  i.ordinal = r.number();
  i.created = r.time();
  i.updated = r.time();
  i.completed = r.maybe_time();
  const auto state = codec::parse_turn_state(r.text());
  if (!state) throw bad_stored("unknown turn state");
  i.state = *state;
  i.error = r.text();
  i.error_code = r.text();
  i.prompt_message = r.text();
  i.prompt = r.maybe_id<prompt_id>();
  if (const auto usage = r.maybe_text()) {
    auto parsed = codec::parse_usage(*usage);
    if (!parsed) throw bad_stored(parsed.error().message);
    i.usage = *parsed;
  }
  return i;
}

}  // namespace

turn_row read_turn_row(row_reader& r) {
  turn_row t;
  t.record = read_record(r);
  t.origin = origin_names.parse(r.text());
  t.thread = r.maybe_id<thread_id>();
  t.prompt_message_id = r.maybe_id<message_id>();
  t.silent = unpack_silent(r.text());
  t.digests = unpack_digests(r.text());
  t.taken_over = r.maybe_id<request_id>();
  t.command = r.maybe_id<command_id>();
  t.named = r.flag();
  t.interrupt = r.flag();
  t.load_retried = r.flag();
  t.in_doubt = r.flag();
  t.end_owed = r.flag();
  t.lost_since = r.maybe_time();
  t.doubt_since = r.maybe_time();
  t.last_frame_at = r.maybe_time();
  t.cancel_deadline = r.maybe_time();
  t.cancel_ids = unpack(r.text());
  t.truncated = r.flag();
  t.folded_seq = r.number();
  return t;
}

void rebuild_entries(turn_row& turn, const std::optional<std::string>& fold, const std::vector<std::string>& patches) {
  turn.unfolded_weight = 0;
  std::vector<entry> folded;
  if (fold) {
    auto parsed = codec::parse_entries(*fold);
    if (!parsed) throw bad_stored(parsed.error().message);
    folded = std::move(*parsed);
  }
  delta::patch_replayer replay(std::move(folded));
  for (const auto& body : patches) {
    const auto patch = codec::parse_patch_event(body);
    if (!patch) throw bad_stored(patch.error().message);
    turn.unfolded_weight += weight_of(*patch);
    replay.apply(*patch);
  }
  turn.record.entries = std::move(replay).take();
}

}  // namespace throughline::state_sync
