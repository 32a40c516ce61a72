#include <algorithm>
#include <exception>
#include <iterator>
#include <string>
#include <utility>

#include "common/ops/log.hpp"
#include "services/state-sync/shell/batch_split.hpp"
#include "services/state-sync/shell/store/columns.hpp"
#include "services/state-sync/shell/store/takeover.hpp"
#include "services/state-sync/shell/writer.hpp"

namespace throughline::state_sync {
namespace {

constexpr std::chrono::milliseconds locked_pause{50};
constexpr std::chrono::milliseconds failure_pause_max{1000};
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

void writer::settle(inputs batch) {
  if (!ready()) return failed(pqxx::broken_connection("not connected"), std::move(batch));
  const auto began = clock::now();
  try {
    auto done = committer_.commit(*store_, batch, {epoch_, around_.bounds});
    failures_ = 0;
    finish(std::move(done), batch, began);
  } catch (const epoch_changed& changed) {
    ops::log::warn("epoch_changed", {{"from", epoch_.load()}, {"to", changed.found}});
    drop_memory();
    store_.reset();
    connection_.reset();
    hold(std::move(batch), std::chrono::milliseconds(0));
  } catch (const std::exception& e) {
    failed(e, std::move(batch));
  }
}

void writer::finish(committed_batch&& done, inputs& batch, clock::time_point began) {
  around_.counts.batch_committed(batch.size() - done.kept.size(), done.written.events.size(), clock::now() - began);
  if (done.reloaded > 0) around_.counts.trees_reloaded(done.reloaded);
  database_time_ = done.now;
  database_time_read_ = began;
  set_deadlines(done);
  for (const auto& tree : done.broken) quarantine(tree, batch);
  inputs kept;
  for (const auto index : done.kept) kept.push_back(std::move(batch[index]));
  if (!kept.empty()) hold(std::move(kept), locked_pause);
  for (const auto& session : around_.out.carry_out(std::move(done), epoch_)) {
    try {
      around_.out.access_changed(session, access_of(*connection_, session), epoch_);
    } catch (const std::exception& e) {  // gateways read it with the next head check
      ops::log::warn("access_not_announced", {{"session", session}, {"why", io::to_text(io::classify(e))}});
    }
  }
}

void writer::set_deadlines(const committed_batch& done) {
  const auto now = clock::now();
  for (const auto& root : done.decided) {
    const auto* known = trees_.find(root);
    if (known == nullptr) {
      deadlines_.set(root, std::nullopt);
      continue;
    }
    const auto due = known->state.next_deadline();
    std::optional<clock::time_point> at;
    if (due.at) at = database_time_read_ + (*due.at - database_time_);
    if (due.steady) {
      const clock::time_point steady(*due.steady);
      at = at ? std::min(*at, steady) : steady;
    }
    if (at) at = std::max(*at, now + deadline_pause_min);
    deadlines_.set(root, at);
  }
}

void writer::quarantine(const broken_tree& tree, inputs& batch) {
  around_.counts.tree_quarantined();
  ops::log::error("session_quarantined", {{"session", tree.root}, {"what", tree.what}});
  const auto until = clock::now() + quarantine_time;
  quarantined_[tree.root] = until;
  deadlines_.set(tree.root, until);
  for (const auto index : tree.inputs) {
    quarantined_[batch[index].to] = until;
    turn_away(batch[index], clock::now());
  }
}

void writer::failed(const std::exception& why, inputs batch) {
  if (store_) store_->abandon();
  // Not the database's word: rows that cannot be read, or a fault of ours in one tree.
  const bool from_database =
      dynamic_cast<const pqxx::failure*>(&why) != nullptr || dynamic_cast<const pqxx::usage_error*>(&why) != nullptr;
  const auto kind = from_database ? io::classify(why) : io::failure_kind::input_fault;
  if (kind == io::failure_kind::input_fault && !batch.empty()) return split(std::move(batch));
  if (kind == io::failure_kind::in_doubt) around_.counts.commit_in_doubt();
  if (kind == io::failure_kind::in_doubt || kind == io::failure_kind::connection_lost) {
    store_.reset();
    connection_.reset();
  }
  ++failures_;
  around_.counts.batch_retried();
  ops::log::warn("batch_kept", {{"writer", number_},
                                {"inputs", batch.size()},
                                {"why", io::to_text(kind)},
                                {"failures", failures_},
                                {"detail", detail_of(why)}});
  database_down_ = true;
  const auto pause = std::min(locked_pause * (1u << std::min(failures_ - 1, 5u)), failure_pause_max);
  hold(std::move(batch), pause);
}

void writer::split(inputs batch) {
  around_.counts.batch_split();
  auto parts = split_batch(std::move(batch));
  if (parts.size() == 1 && parts.front().size() == 1) return settle_alone(std::move(parts.front().front()));
  for (auto& part : parts) settle(std::move(part));
}

/// An input that the database refused while nothing else was in the transaction: one more decision, after a reload;
/// then a typed error. The number of a frame is consumed by deciding an empty frame in its place.
void writer::settle_alone(pending_input input) {
  if (!input.failed_alone) {
    input.failed_alone = true;
    inputs again;
    again.push_back(std::move(input));
    return settle(std::move(again));
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

void writer::hold(inputs batch, std::chrono::milliseconds pause) {
  held_.insert(held_.end(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
  held_until_ = clock::now() + pause;
}

/// True when the input is not to be decided here and now; its sender has been told.
bool writer::turn_away(pending_input& input, clock::time_point now) {
  if (input.spent(now)) {
    around_.counts.input_expired();
    busy(input, deferral::busy, 0);
    return true;
  }
  if (input.budget.count() > 0 && !around_.serving(shard_or_zero(input.to))) {
    busy(input, deferral::not_owner, 0);
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

void writer::busy(const pending_input& input, deferral why, std::uint32_t after_ms) {
  const auto* request = input.request();
  if (request == nullptr) return;
  around_.counts.input_put_off();
  around_.replies.answer(request->from, deferred{why, after_ms}, epoch_);
}

}  // namespace throughline::state_sync
