// What replicas do where a guard of theirs is taken away on purpose.

#include <algorithm>

#include "common/codec/render.hpp"
#include "common/delta/patch.hpp"
#include "tests/simulation/replica.hpp"

namespace throughline::simulation {

using namespace state_sync;

namespace {

bool is_refusal(const answer& a) {
  return a.status >= 400 || a.body == codec::cancel_body(false);
}

}  // namespace

/// The planted fault: what memory says no to is refused without a look at the database.
void replica::refuse_from_memory() {
  if (!w_.planted(plant::refusal_from_memory) || !memory_) return;
  std::erase_if(inbox_, [this](const pending& input) {
    const auto* ask = std::get_if<asked>(&input.what);
    if (!ask || !input.answer) return false;
    tree remembered(memory_->load(w_.db.root()));
    if (!remembered.facts_needed(input.what).empty()) return false;
    auto what = *ask;
    what.from = 1;
    auto d = remembered.apply(what, at());
    auto then = std::move(d).after(receipt_for_tests::make());
    if (then.replies.size() != 1) return false;
    const auto* said = std::get_if<answer>(&then.replies.front().what);
    if (!said || !is_refusal(*said)) return false;
    input.answer({epoch_, *said});
    return true;
  });
}

/// The planted fault: what comes late to a turn that has ended goes out as a patch.
stored_event replica::rendered(const transaction& t, const event& e) const {
  const auto* record = std::get_if<std::shared_ptr<const interaction>>(&e.body);
  if (!record || !w_.planted(plant::patch_after_end)) return render(e);
  const auto before = t.written.turns(e.session);
  const auto had_ended = std::ranges::any_of(
      before, [&](const turn_row& x) { return x.record.id == e.interaction && is_terminal(x.record.state); });
  if (!had_ended) return render(e);
  auto patch = e;
  patch.body = delta::full((*record)->entries);
  return render(patch);
}

/// What a shell without the guard would have made of the input.
void replica::plant_into(pending& input) {
  auto* ask = std::get_if<asked>(&input.what);
  auto* post = ask ? std::get_if<post_prompt>(&ask->request) : nullptr;
  if (post && w_.planted(plant::no_dedupe)) post->by.id += "~" + std::to_string(++retries_);
  auto* frames = ask ? std::get_if<hand_over>(&ask->request) : nullptr;
  if (frames && w_.planted(plant::no_suspect_mark)) frames->attempt = 1;
  if (!frames || !w_.planted(plant::completion_by_position)) return;
  for (auto& f : frames->frames) {
    auto* c = f.event ? std::get_if<agent::message_completed>(&*f.event) : nullptr;
    if (!c) continue;
    for (const auto& s : w_.db.rows().sessions()) {
      if (s.second.waiting_interaction) c->request = request_id{s.second.waiting_interaction->text()};
    }
  }
}

/// The planted fault: a prompt that may have been written is written again over the new socket.
void replica::resend_in_doubt(const changes& w, std::vector<std::function<void()>>& steps) {
  if (!w_.planted(plant::in_doubt_sent_again)) return;
  for (const auto& a : w.attachments) {
    if (!a.gate_open || a.state != attachment_state::live) continue;
    for (const auto& t : w_.db.rows().turns(w_.db.root())) {
      if (is_terminal(t.record.state) || !t.in_doubt || !t.command || t.named) continue;
      agent::chat_message m{.message = t.record.prompt_message,
                            .request = request_id{t.record.id.text()},
                            .interaction = t.record.id,
                            .thread = t.thread,
                            .session = t.record.session};
      steps.push_back([this, a, m] {
        give({a.bridge, w_.db.root(), write_command{a.id, command_id{"again-" + m.request.text()}, m}});
      });
    }
  }
}

/// The planted fault: a no leaves no trace in the database.
bool replica::leaves_no_trace(const changes& writes) const {
  if (!w_.planted(plant::refusal_does_not_fence) || !writes.events.empty() || writes.answers.empty()) return false;
  return std::ranges::all_of(writes.answers, [](const answer_row& a) { return is_refusal({a.status, a.body}); });
}

/// The planted fault: a failure of the database is taken for a fault of the first frame, which is refused.
void replica::blame_input(transaction& t) const {
  if (!w_.planted(plant::errors_as_bad_input)) return;
  for (auto& input : t.inputs) {
    auto* ask = std::get_if<asked>(&input.what);
    auto* frames = ask ? std::get_if<hand_over>(&ask->request) : nullptr;
    if (frames && !frames->frames.empty()) frames->frames.front().event.reset();
  }
}

/// The planted fault: whatever a hand-over says was acknowledged is believed, be it less than what is stored.
void replica::adopt_cursor(transaction& t, const input& what) {
  const auto* ask = std::get_if<asked>(&what);
  const auto* frames = ask ? std::get_if<hand_over>(&ask->request) : nullptr;
  if (!frames || !w_.planted(plant::lower_cursor_adopted)) return;
  const auto rows = t.written.load(w_.db.root());
  const auto a = std::ranges::find(rows.attachments, frames->attachment, &attachment_row::id);
  if (a == rows.attachments.end() || a->applied <= frames->acknowledged) return;
  changes lower;
  lower.heads.push_back(*std::ranges::find(rows.heads, w_.db.root(), &head_row::id));
  lower.attachments.push_back(*a);
  lower.attachments.front().applied = frames->acknowledged;
  t.written.commit(lower);
  tree_.emplace(t.written.load(w_.db.root()));
}

/// The planted fault: only the primary key of events stands in the way of what was decided on old memory, and the rows
/// of turns that have ended are pruned. False: the key was there, the server refuses.
bool replica::write_over(transaction& t) {
  if (!w_.planted(plant::primary_key_fence) || w_.db.marks() == marks_) return true;
  for (const auto& e : t.events) {
    const auto stored = w_.db.between(e.session, 0, w_.db.head(e.session).head);
    std::uint64_t pruned = 0;
    for (const auto* s : stored) {
      if (s->headers.terminal) pruned = s->at.seq;
    }
    if (e.at.seq <= stored.size() && e.at.seq > pruned) return false;
  }
  auto merged = w_.db.rows();
  for (const auto& w : t.writes) {
    if (!w.empty()) merged.commit(w);
  }
  t.written = std::move(merged);
  return true;
}

}  // namespace throughline::simulation
