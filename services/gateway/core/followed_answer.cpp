#include "services/gateway/core/followed_answer.hpp"

#include <algorithm>
#include <utility>

#include "common/base/utf.hpp"
#include "common/codec/render.hpp"
#include "common/delta/patch.hpp"

namespace throughline::gateway {

namespace {

error failure_of_turn(const interaction* record) {
  if (record != nullptr && record->state == turn_state::error) {
    return {"turn_error", record->error.empty() ? "the turn ended with an error" : record->error};
  }
  const bool says = record != nullptr && !record->error.empty();
  return {"turn_interrupted", says ? record->error : "the turn was interrupted"};
}

std::string full_list(const std::vector<entry>& entries) {
  std::string out;
  codec::render_patches(out, delta::full(entries));
  return out;
}

}  // namespace

text_end text_end::none() {
  text_end out;
  out.count_ = 0;
  out.newest_ = 0;
  return out;
}

text_end text_end::of(const std::vector<entry>& entries) {
  text_end out;
  out.count_ = entries.size();
  out.newest_ = entries.empty() ? 0 : utf16_length(entries.back().content);
  return out;
}

std::optional<std::string> text_end::take(const patch_set& set) {
  std::optional<std::string> added;
  if (set.patches.size() == 1 && is_known()) {
    const auto& p = set.patches.front();
    const bool is_text = p.type == entry_type::text && !p.patch.empty() && p.index + 1 == set.entry_count;
    if (is_text && *count_ == set.entry_count && p.patch_offset == *newest_) added = p.patch;
    if (is_text && *count_ + 1 == set.entry_count) added = (*count_ > 0 ? "\n\n" : "") + p.patch;
  }
  if (count_ != set.entry_count) newest_.reset();
  count_ = set.entry_count;
  if (set.entry_count == 0) newest_ = 0;
  for (const auto& p : set.patches) {
    if (p.index + 1 == set.entry_count) newest_ = p.total_length;
  }
  return added;
}

void followed_answer::note(const answer_reading& now) {
  if (now.place.queued) queued_at_ = now.head;
  if (!now.record && now.place.ended.seq != 0) dropped_ = now.place.ended;
}

answer_chunks followed_answer::restart(const answer_reading& now) {
  note(now);
  at_ = now.head;
  begun_ = now.record != nullptr;
  const std::vector<entry> nothing;
  const auto& entries = begun_ ? now.record->entries : nothing;
  end_ = text_end::of(entries);
  answer_chunks out{{.what = answer_chunk::kind::reset,
                     .at = now.head,
                     .content = codec::response_text(entries),
                     .patch_list = full_list(entries)}};
  if (now.place.ended.seq == 0) return out;
  auto last = end(now.place.ended, now.record);
  std::ranges::move(last, std::back_inserter(out));
  return out;
}

answer_chunks followed_answer::resume(position since, text_end end_there, const answer_reading& now) {
  note(now);
  at_ = since;
  begun_ = now.record && now.place.began <= since.seq;
  end_ = end_there;
  if (now.place.ended.seq != 0 && now.place.ended.seq <= since.seq) return end(now.place.ended, now.record);
  return {{.what = answer_chunk::kind::resumed, .at = since}};
}

answer_chunks followed_answer::event(const codec::answer_event& e) {
  if (over_ || e.at.seq <= at_.seq) return {};
  at_ = e.at;
  if (e.kind == event_kind::session_update) return session_changed(e);
  progress_ = true;
  if (e.interaction != id_) return {};
  if (e.kind == event_kind::interaction_patch) {
    answer_chunk part{.what = answer_chunk::kind::part, .at = e.at, .patch_list = e.patch_list};
    if (end_.may_shorten(e.patches)) part.entry_count = e.patches.entry_count;
    part.content = end_.take(e.patches);
    return {std::move(part)};
  }
  begun_ = true;
  if (is_terminal(e.record->state)) return end(e.at, e.record);
  end_ = text_end::of(e.record->entries);
  return {{.what = answer_chunk::kind::part, .at = e.at, .patch_list = full_list(e.record->entries)}};
}

answer_chunks followed_answer::session_changed(const codec::answer_event& e) {
  if (e.agent == agent_ || agent_.empty()) progress_ = true;
  agent_ = e.agent;
  if (begun_) return {};
  const bool waits = std::ranges::find(e.queue, id_) != e.queue.end();
  const bool was_queued = queued_at_ && e.at.seq > queued_at_->seq;
  if (e.at == dropped_ || (was_queued && !waits)) return end(e.at, nullptr);
  return {};
}

answer_chunks followed_answer::end(position at, const std::shared_ptr<const interaction>& record) {
  over_ = true;
  if (record && record->state == turn_state::complete) {
    return {{.what = answer_chunk::kind::finished, .at = at, .record = record}};
  }
  return {{.what = answer_chunk::kind::failed, .at = at, .why = failure_of_turn(record.get())}};
}

bool followed_answer::take_progress() {
  return std::exchange(progress_, false);
}

}  // namespace throughline::gateway
