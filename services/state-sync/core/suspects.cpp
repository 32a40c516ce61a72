#include "services/state-sync/core/suspects.hpp"

#include <algorithm>
#include <string>

#include "services/state-sync/core/lifecycle.hpp"
#include "services/state-sync/core/resolver.hpp"

namespace throughline::state_sync {
namespace {

struct claim_of {
  claim operator()(const agent::message_added& f) const { return {.thread = &f.thread, .request = &f.request}; }
  claim operator()(const agent::message_completed& f) const { return {.thread = &f.thread, .request = &f.request}; }
  claim operator()(const agent::thread_load_error& f) const { return {.thread = &f.thread, .request = &f.request}; }
  claim operator()(const agent::thread_created& f) const { return {.request = &f.request}; }
  claim operator()(const agent::chat_response_error& f) const { return {.request = &f.request}; }
  claim operator()(const agent::turn_cancelled& f) const { return {.request = &f.request}; }
  claim operator()(const agent::ping&) const { return {}; }
  claim operator()(const agent::agent_ready&) const { return {}; }
  claim operator()(const agent::user_created_thread&) const { return {}; }
  claim operator()(const agent::thread_title_changed&) const { return {}; }
};

bool has_tried(const suspect_mark& mark, std::string_view owner) {
  return std::ranges::find(mark.tried_by, owner) != mark.tried_by.end();
}

}  // namespace

bool is_suspect(const tree_state& tree, const hand_over& h) {
  const auto a = tree.attachments.find(h.attachment);
  if (a == tree.attachments.end() || h.frames.empty() || h.frames.back().number <= a->second.applied) return false;
  return a->second.suspect || h.attempt >= suspect_attempt;
}

bool needs_mark(const tree_state& tree, const hand_over& h, std::string_view owner) {
  if (!is_suspect(tree, h)) return false;
  const auto& mark = tree.attachments.at(h.attachment).suspect;
  return !mark || (mark->tried_by.size() < lives_max && !has_tried(*mark, owner));
}

caution examine(step& s, attachment_row& a, const hand_over& h, std::uint64_t deadly) {
  const auto next = std::ranges::find(h.frames, a.applied + 1, &numbered_frame::number);
  if (next == h.frames.end()) return caution::none;
  if (!a.suspect && h.attempt < suspect_attempt) return caution::none;
  if (a.suspect && has_tried(*a.suspect, s.at.owner)) {
    return deadly == next->number ? caution::poison : caution::alone;
  }
  if (a.suspect && a.suspect->tried_by.size() >= lives_max) return caution::poison;
  if (!a.suspect) a.suspect = suspect_mark{.number = next->number};
  if (h.attempt >= suspect_attempt) a.suspect->through = std::max(a.suspect->through, h.frames.back().number);
  a.suspect->tried_by.emplace_back(s.at.owner);
  s.changed(a);
  return caution::mark;
}

void move_mark(attachment_row& a, std::uint64_t number) {
  if (!a.suspect) return;
  if (number >= a.suspect->through) return a.suspect.reset();
  a.suspect->number = number + 1;
  a.suspect->tried_by.clear();
}

void end_turn_of(step& s, const agent_event& frame) {
  const auto where = resolve(s.tree, std::visit(claim_of{}, frame));
  if (where.what != ruling::open_turn) return;
  if (where.which->row.origin == turn_origin::unasked) return end(s, *where.which, {turn_state::complete});
  end(s, *where.which,
      {turn_state::error, "poison", "What the agent sent for this turn could not be processed.", false});
}

}  // namespace throughline::state_sync
