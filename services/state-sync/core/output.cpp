#include "services/state-sync/core/output.hpp"

#include <optional>
#include <utility>

#include "services/state-sync/core/lifecycle.hpp"
#include "services/state-sync/core/resolver.hpp"
#include "services/state-sync/core/threads.hpp"

namespace throughline::state_sync {
namespace {

/// Puts the frame's content into the turn, open or finished; what it changed is shown with the next events.
verdict store(step& s, turn& t, const agent::message_added& m) {
  if (!t.loaded) return verdict::unread;
  auto whole = m;
  const auto* use = &m;
  if (!t.text.truncated() && !t.text.fits(m.message, m.content)) {
    auto content = whole_content(s.tree, m);
    if (!content) return verdict::need_full;
    whole.content = {.base = std::nullopt, .keep = 0, .text = std::move(*content)};
    use = &whole;
  }
  const bool was_truncated = t.text.truncated();
  const bool had_silent = t.text.has_silent();
  if (t.text.put(*use) != transcript::outcome::changed) {
    if (t.text.truncated() != was_truncated) s.changed(t);
    return verdict::applied;
  }
  if (had_silent || t.text.has_silent() || t.text.truncated() != was_truncated) s.changed(t);
  if (t.text.pending()) s.output(t);
  if (!t.open()) {
    if (t.text.truncated() && t.row.record.error_code.empty()) t.row.record.error_code = "turn_truncated";
    s.tree.index_finished(t);
    s.changed(t);
  }
  return verdict::applied;
}

/// Output that no prompt asked for is a turn of its own (6.1 rule 4).
verdict begin_unasked(step& s, attachment_row& on, const agent::message_added& m) {
  const auto content = whole_content(s.tree, m);
  if (!content) return verdict::need_full;
  auto* owner = s.tree.find(s.tree.threads.at(m.thread).session);
  if (content->empty() || !owner) return verdict::applied;
  if (auto* waiting = s.tree.open_turn_on(m.thread)) {
    // It has not begun there, so this is not its output: it goes out when this has ended.
    waiting->row.thread.reset();
    s.changed(*waiting);
  }
  turn_row row{.origin = turn_origin::unasked, .thread = m.thread};
  row.record.id = interaction_id{s.new_id("int_")};
  auto& t = begin(s, *owner, std::move(row));
  seen(s, t, on);
  return store(s, t, m);
}

bool is_echo(const turn* t, const agent::message_added& m, const std::string& text) {
  return t && t->open() && t->row.origin == turn_origin::prompt && t->row.record.prompt_message == text &&
         m.request.text() == t->id().text();
}

/// Which entry of the thread an echo is, is kept with the turn: the same entry again is not a person who types (P-G8).
void remember_echo(step& s, turn& t, const agent::message_added& m) {
  if (t.row.prompt_message_id || t.row.thread != m.thread) return;
  t.row.prompt_message_id = m.message;
  s.tree.index_prompt(t);
  s.changed(t);
}

/// A person has typed in the editor: what ran on this thread has ended by that.
void begin_typed(step& s, member& m, const agent::message_added& f, std::string text) {
  if (auto* old = s.tree.open_turn_on(f.thread)) {
    if (old->unsent()) {
      // It has not begun there: it goes out when what was typed has ended.
      old->row.thread.reset();
      s.changed(*old);
    } else if (old->row.origin == turn_origin::unasked) {
      end(s, *old, {turn_state::complete});
    } else {
      end(s, *old, {turn_state::interrupted, "superseded_in_editor", "A new prompt was typed in the editor.", false});
    }
  }
  turn_row row{.origin = turn_origin::editor, .thread = f.thread, .prompt_message_id = f.message, .named = true};
  row.record.id = interaction_id{s.new_id("int_")};
  row.record.prompt_message = std::move(text);
  // Of a turn that is still open, on another thread, the id is taken over when that one ends (6.1 rules 1 and 2).
  if (!f.request.empty()) row.taken_over = f.request;
  begin(s, m, std::move(row));
}

}  // namespace

verdict put_output(step& s, attachment_row& on, const agent::message_added& m) {
  const auto where = resolve(s.tree, {.thread = &m.thread, .request = &m.request, .output = &m});
  switch (where.what) {
    case ruling::open_turn: {
      const auto done = store(s, *where.which, m);
      if (done == verdict::applied) seen(s, *where.which, on, is_called(*where.which, m.request));
      return done;
    }
    case ruling::finished_turn:
      return store(s, *where.which, m);
    case ruling::no_turn:
      return begin_unasked(s, on, m);
    case ruling::unknown:
      s.ignored();
      return verdict::applied;
    case ruling::replay:
      return verdict::applied;
  }
  return verdict::applied;
}

verdict put_user_entry(step& s, attachment_row& on, const agent::message_added& m) {
  auto text = whole_content(s.tree, m);
  if (!text) return verdict::need_full;
  auto* named = m.request.empty() ? nullptr : s.tree.turn_named(m.request);
  const bool echo = is_echo(named, m, *text);
  if (text->empty()) return verdict::applied;
  auto* before = echo ? nullptr : s.tree.prompted_by(m.thread, m.message, *text);
  if (before && before->open()) seen(s, *before, on);
  // Under the id of another open turn it is never a replay (6.1 rule 1).
  if (before && (before->open() || !named || !named->open())) return verdict::applied;
  auto* owner = session_for_user_entry(s, m.thread, m.request);
  if (echo) {
    remember_echo(s, *named, m);
    seen(s, *named, on);
    return verdict::applied;
  }
  if (!owner) {
    s.ignored();
    return verdict::applied;
  }
  begin_typed(s, *owner, m, std::move(*text));
  if (auto* t = s.tree.open_turn_on(m.thread)) {
    // Read from a stock agent's socket that has been superseded meanwhile: open across a change of attachment (6.4).
    const auto* over = s.tree.newest();
    if (over != &on && !(over->instance && on.instance)) t->row.in_doubt = true;
    seen(s, *t, on);
  }
  return verdict::applied;
}

}  // namespace throughline::state_sync
