#include <algorithm>
#include <array>
#include <exception>
#include <iterator>
#include <string>
#include <utility>

#include "common/ops/log.hpp"
#include "services/state-sync/core/suspects.hpp"
#include "services/state-sync/shell/batch_split.hpp"
#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/takeover.hpp"
#include "services/state-sync/shell/writer.hpp"

namespace throughline::state_sync {
namespace {

constexpr std::chrono::milliseconds locked_pause = held_inputs::pause_min;
/// Sessions that fail one after the other, and none commits: it is not they.
constexpr unsigned failing_in_a_row_max = 4;
/// A batch is taken apart for no longer; the rest goes on as a batch.
constexpr std::chrono::milliseconds parting_time_max{2000};
/// Sessions tried alone between two batches.
constexpr std::size_t alone_max = committer::marks_max;
/// Connections lost in a row, each in the middle of a transaction, until its sessions go on one by one.
constexpr unsigned cuts_together_max = 2;
/// Connections that frames may cost, tried alone, until the first of them is refused (3.6).
constexpr unsigned cuts_alone_max = 3;
constexpr std::chrono::seconds quarantine_time{60};
/// A deadline that is due by our estimate of the database's clock, but not yet by that clock.
constexpr std::chrono::milliseconds deadline_pause_min{10};

/// What may stand in a log: messages of the database can quote content.
std::string detail_of(const std::exception& why) {
  if (const auto* sql = dynamic_cast<const pqxx::sql_error*>(&why)) return sql->sqlstate();
  if (dynamic_cast<const bad_stored*>(&why) != nullptr) return why.what();
  return {};
}

}  // namespace

void writer::settle(inputs batch, bool hurried) {
  around_.goes_on(number_, {});
  if (!ready()) return failed(pqxx::broken_connection("not connected"), std::move(batch));
  beware(batch);
  const auto began = clock::now();
  try {
    auto done = committer_.commit(*store_, batch, {epoch_, around_.bounds, hurried});
    failures_ = cuts_ = 0;
    ++commits_;
    frames_stored(batch);
    const auto marked = done.marked;
    finish(std::move(done), batch, began);
    try_marked(marked);
  } catch (const epoch_changed& changed) {
    ops::log::warn("epoch_changed", {{"from", epoch_.load()}, {"to", changed.found}});
    drop_memory();
    store_.reset();
    connection_.reset();
    held_.put_back(std::move(batch), clock::now());
  } catch (const std::exception& e) {
    failed(e, std::move(batch));
  }
}

/// Frames that have cost a connection are suspect from then on, whatever the attempt: its sender counts another one
/// only when it hears nothing.
void writer::beware(inputs& batch) {
  const auto now = clock::now();
  for (auto& input : batch) {
    input.tried = 0;
    auto* frames = frames_of(input);
    if (frames == nullptr) continue;
    const auto cut = cuts_by_frames_.of(frames->attachment, now);
    if (cut) frames->attempt = std::max(frames->attempt, suspect_attempt);
    input.request()->deadly = cut && cut->cuts >= cuts_alone_max ? cut->number : 0;
  }
}

void writer::frames_stored(const inputs& batch) {
  for (const auto& input : batch) {
    if (input.tried != 0) cuts_by_frames_.clear(frames_of(input)->attachment);
  }
}

/// What was marked is tried at once: an owner that is replaced before that would look as if it had died of it.
void writer::try_marked(const std::vector<session_id>& marked) {
  for (const auto& session : marked) {
    if (database_down_) return;  // it is held, and tried when the database is there again
    auto part = held_.take_of([&](const session_id& each) { return each == session; });
    if (!part.empty()) settle(std::move(part));
  }
}

void writer::try_alone() {
  if (database_down_) return;
  inputs to_mark;
  std::vector<session_id> tried;
  for (auto& part : held_.take_due_alone(clock::now(), alone_max)) {
    const auto session = part.front().to;
    turn_away(part);
    if (part.empty()) continue;
    if (database_down_) {
      held_.put_back(std::move(part), down_until_);
      continue;
    }
    tried.push_back(session);
    if (committer_.needs_mark(part.front())) {
      std::ranges::move(part, std::back_inserter(to_mark));
    } else {
      settle(std::move(part), true);
    }
  }
  if (!to_mark.empty()) {
    database_down_ ? held_.put_back(std::move(to_mark), down_until_) : settle(std::move(to_mark), true);
  }
  for (const auto& session : tried) {
    if (!held_.waits(session)) held_.settled(session);
  }
  held_.forget_quiet(clock::now());
}

void writer::answer_spent() {
  for (const auto& input : held_.take_nearly_spent(clock::now())) {
    around_.counts.input_expired();
    busy(input, deferral::busy, 0);
  }
}

void writer::finish(committed_batch&& done, inputs& batch, clock::time_point began) {
  around_.attempted(number_, {});
  const auto left = done.kept.size() + done.unread.size() + done.apart.size();
  around_.counts.batch_committed(batch.size() - left, done.written.events.size(), clock::now() - began);
  if (done.reloaded > 0) around_.counts.trees_reloaded(done.reloaded);
  database_time_ = done.now;
  database_time_read_ = began;
  for (const auto& root : done.decided) set_deadline(root);
  for (const auto& tree : done.broken) quarantine(tree, batch);
  inputs kept;
  for (const auto index : done.kept) kept.push_back(std::move(batch[index]));
  held_.put_back(std::move(kept), clock::now() + locked_pause);
  inputs unread;
  for (const auto index : done.unread) unread.push_back(std::move(batch[index]));
  held_.put_back(std::move(unread), clock::now());
  inputs apart;
  for (const auto index : done.apart) apart.push_back(std::move(batch[index]));
  held_.put_back_apart(std::move(apart), clock::now());
  for (const auto& session : around_.out.carry_out(std::move(done), epoch_)) {
    try {
      around_.out.access_changed(session, access_of(*connection_, session), epoch_);
    } catch (const std::exception& e) {  // gateways read it with the next head check
      ops::log::warn("access_not_announced", {{"session", session}, {"why", io::to_text(io::classify(e))}});
    }
  }
}

std::optional<writer::clock::time_point> writer::deadline_of(const session_id& root) {
  const auto* known = trees_.find(root);
  if (known == nullptr) return std::nullopt;
  const auto due = known->state.next_deadline();
  std::optional<clock::time_point> at;
  if (due.at) at = database_time_read_ + (*due.at - database_time_);
  if (due.steady) {
    const clock::time_point steady(*due.steady);
    at = at ? std::min(*at, steady) : steady;
  }
  return at;
}

void writer::set_deadline(const session_id& root) {
  auto at = deadline_of(root);
  if (at) at = std::max(*at, clock::now() + deadline_pause_min);
  deadlines_.set(root, at);
}

void writer::quarantine(const broken_tree& tree, inputs& batch) {
  around_.counts.tree_quarantined();
  ops::log::error("session_quarantined", {{"session", tree.root}, {"what", tree.what}});
  const auto until = clock::now() + quarantine_time;
  quarantined_[tree.root] = until;
  deadlines_.set(tree.root, until);
  for (const auto index : tree.inputs) {
    quarantined_[batch[index].to] = until;
    turned_away(batch[index], around_.of(shard_or_zero(batch[index].to)), clock::now());
  }
}

void writer::failed(const std::exception& why, inputs batch) {
  if (store_) store_->abandon();
  const auto kind = fault_of(why);
  if (kind == io::failure_kind::input_fault && !batch.empty()) return split(std::move(batch));
  if (kind == io::failure_kind::in_doubt) {
    around_.counts.commit_in_doubt();
    for (auto& input : batch) input.in_doubt = true;
  }
  around_.counts.batch_retried();
  if (connection_) around_.attempted(number_, io::reason_of(why));
  // Its renewals wait as well.
  for (const auto& input : batch) hear_afresh(input.to);
  ops::log::warn("batch_kept", {{"writer", number_},
                                {"inputs", batch.size()},
                                {"why", io::to_text(kind)},
                                {"failures", failures_},
                                {"detail", detail_of(why)}});
  if (batch.empty()) return pause_all(std::move(batch));
  if (kind == io::failure_kind::environment) return part_sessions(std::move(batch));
  connection_ ? cut_off(std::move(batch)) : pause_all(std::move(batch));
}

/// The connection was lost in the middle of a transaction. Once that is the connection's affair; again and again it may
/// be what one of the sessions brings about, so they go on one by one, each with a pause of its own.
void writer::cut_off(inputs batch) {
  store_.reset();
  connection_.reset();
  auto parts = split_by_session(std::move(batch));
  const bool alone = parts.size() == 1;
  if (alone) count_cut(parts.front());
  if (++cuts_ < cuts_together_max && !alone) {
    inputs again;
    for (auto& part : parts) std::ranges::move(part, std::back_inserter(again));
    return pause_all(std::move(again));
  }
  for (auto& part : parts) held_.put_back_alone(std::move(part), clock::now());
}

/// What stands behind another input is not counted: that one may be what costs the connection. From then on its frames
/// are suspect, so that they are tried without it.
void writer::count_cut(const inputs& part) {
  const auto now = clock::now();
  for (const auto& input : part) {
    if (input.tried == 0) continue;
    const auto& whose = frames_of(input)->attachment;
    &input == &part.front() ? cuts_by_frames_.add(whose, input.tried, now)
                            : cuts_by_frames_.watch(whose, input.tried, now);
  }
}

/// The connection, or whatever else all sessions share, does not work: everything is kept, and nothing is taken for a
/// while. A new connection may find another primary.
void writer::pause_all(inputs batch) {
  store_.reset();
  connection_.reset();
  ++failures_;
  const auto pause = held_inputs::pause_min * (1u << std::min(failures_ - 1, 5u));
  database_down_ = true;
  down_until_ = clock::now() + std::min(pause, held_inputs::pause_max);
  held_.put_back(std::move(batch), down_until_);
}

/// An error that is neither an input's fault nor the connection's may still be that of one session: those that can
/// commit do not wait for it.
void writer::part_sessions(inputs batch) {
  auto parts = split_by_session(std::move(batch));
  if (parts.size() == 1) return held_.put_back_alone(std::move(parts.front()), clock::now());
  around_.counts.batch_split();
  const auto give_up = clock::now() + parting_time_max;
  const auto commits_before = commits_;
  unsigned failing = 0;
  inputs rest;
  for (auto& part : parts) {
    const bool all_fail = commits_ == commits_before && failing >= failing_in_a_row_max;
    if (database_down_ || all_fail || clock::now() > give_up) {
      std::ranges::move(part, std::back_inserter(rest));
      continue;
    }
    const auto session = part.front().to;
    settle(std::move(part), true);
    failing += held_.waits(session) ? 1 : 0;
  }
  if (rest.empty()) return;
  if (database_down_) return held_.put_back(std::move(rest), down_until_);
  if (commits_ != commits_before) return held_.put_back(std::move(rest), clock::now());
  pause_all(std::move(rest));
}

void writer::split(inputs batch) {
  around_.counts.batch_split();
  auto parts = split_batch(std::move(batch));
  if (parts.size() == 1 && parts.front().size() == 1) return settle_alone(std::move(parts.front().front()));
  for (auto& part : parts) {
    // What came before it of its session has just been kept.
    if (held_.waits(part.front().to)) {
      held_.put_behind(std::move(part));
    } else {
      settle(std::move(part));
    }
  }
}

/// An input that the database refused while nothing else was in the transaction: one more decision, after a reload;
/// then a typed error. The number of a frame is consumed by deciding an empty frame in its place.
void writer::settle_alone(pending_input input) {
  if (!input.failed_alone) {
    input.failed_alone = true;
    inputs again;
    again.push_back(std::move(input));
    settle(std::move(again));
    return;
  }
  around_.counts.input_refused();
  ops::log::error("input_refused", {{"session", input.to}});
  auto* request = input.request();
  if (request == nullptr) {
    quarantined_[input.to] = clock::now() + quarantine_time;
    deadlines_.set(input.to, clock::now() + quarantine_time);
    return;
  }
  const auto to = std::exchange(request->from, 0);
  const auto refusal = refusal_of(request->request, 500, "not_storable", "this input cannot be stored");
  if (auto emptied = empty_of(input)) {
    inputs instead;
    instead.push_back(std::move(*emptied));
    settle(std::move(instead));
  }
  around_.replies.answer(to, refusal, epoch_);
}

/// Leaves what is to be decided here and now; the senders of the rest have been told. What this replica may do is asked
/// once per shard: were the answer another one for a later input of a session, that would overtake the earlier.
void writer::turn_away(inputs& batch) {
  const auto now = clock::now();
  std::array<std::optional<standing>, shard_count> known;
  std::erase_if(batch, [&](pending_input& input) {
    auto& here = known.at(shard_or_zero(input.to));
    if (!here) here = around_.of(shard_or_zero(input.to));
    return turned_away(input, *here, now);
  });
}

bool writer::turned_away(pending_input& input, standing of_shard, clock::time_point now) {
  if (input.spent(now)) {
    around_.counts.input_expired();
    busy(input, deferral::busy, 0);
    return true;
  }
  const auto here = input.budget.count() > 0 ? of_shard : standing::owner;
  if (here == standing::stranger) {
    not_owner(input);
    return true;
  }
  if (here == standing::in_doubt) {
    inputs later;
    later.push_back(std::move(input));
    held_.put_behind(std::move(later), now + locked_pause);
    return true;
  }
  const auto broken = quarantined_.find(input.to);
  if (broken == quarantined_.end()) return false;
  if (broken->second <= now) {
    quarantined_.erase(broken);
    return false;
  }
  if (const auto* request = input.request()) {
    // A bridge keeps its frames: they may fit again after a repair.
    const bool frames = std::holds_alternative<hand_over>(request->request);
    around_.replies.answer(request->from,
                           frames ? reply(deferred{deferral::busy, 1000})
                                  : refusal_of(request->request, 503, "session_quarantined",
                                               "this session is put aside after an internal error"),
                           epoch_);
  }
  return true;
}

/// Whoever hears it takes it that nothing has happened, which of a commit in doubt nobody can say.
void writer::not_owner(const pending_input& input) {
  const auto* request = input.request();
  if (request == nullptr) return;
  if (input.in_doubt) return busy(input, deferral::busy, 50);
  around_.counts.input_not_owned();
  around_.replies.answer(request->from, deferred{deferral::not_owner, 0}, epoch_);
}

void writer::busy(const pending_input& input, deferral why, std::uint32_t after_ms) {
  const auto* request = input.request();
  if (request == nullptr) return;
  around_.counts.input_put_off();
  around_.replies.answer(request->from, deferred{why, after_ms}, epoch_);
}

}  // namespace throughline::state_sync
