#include "services/state-sync/core/load_errors.hpp"

#include <string>

#include "services/state-sync/core/commands.hpp"
#include "services/state-sync/core/lifecycle.hpp"
#include "services/state-sync/core/resolver.hpp"
#include "services/state-sync/core/threads.hpp"

namespace throughline::state_sync {
namespace {

std::string text_or(const std::string& text, const char* fallback) {
  return text.empty() ? fallback : text;
}

/// To be sent once more, without a thread: the agent makes a new one.
void send_again(step& s, turn& t) {
  t.row.load_retried = true;
  t.row.thread.reset();
  unsend(s, t);
}

/// An end that may have been any one's.
void doubt_all_in_flight(step& s) {
  for (auto* t : s.tree.open) {
    if (t->holds_queue() && !t->unsent()) doubt(s, *t);
  }
}

}  // namespace

bool says_thread_is_gone(std::string_view error, const thread_id& thread) {
  const auto& id = thread.text();
  return error.contains("entity released") || error.contains("no rollout found for thread id") ||
         error.contains("no thread found with ID: SessionId(\"") ||
         error == "Failed to load thread: Resource not found: " + id + ": {\"uri\":\"" + id + "\"}";
}

void on_load_error(step& s, const attachment_row& on, const agent::thread_load_error& e) {
  const bool answers_open = !e.request.empty() && on.open_thread_request == e.request;
  const auto where = resolve(s.tree, {.thread = &e.thread, .request = &e.request});
  const bool gone = says_thread_is_gone(e.error, e.thread);
  if (where.what == ruling::unknown && !answers_open) s.ignored();
  if (gone) retire(s, e.thread);
  const bool ends_turn = where.what == ruling::open_turn && !e.request.text().starts_with("req_") &&
                         where.which->row.origin != turn_origin::unasked;
  if (!ends_turn) return;
  auto& t = *where.which;
  const bool untouched = t.row.origin == turn_origin::prompt && !t.row.named && !t.row.load_retried && !t.cancelling();
  if (gone && untouched) return send_again(s, t);
  // A prompt that waits for this very gate has not been tried: its own answer is still to come.
  if (answers_open && !gone && t.unsent()) return;
  end(s, t, {turn_state::error, "thread_load_failed", text_or(e.error, "The agent could not load its thread.")});
}

verdict on_response_error(step& s, const agent::chat_response_error& e) {
  const auto where = resolve(s.tree, {.request = &e.request, .fails = true});
  switch (where.what) {
    case ruling::open_turn:
      end(s, *where.which, {turn_state::error, "agent_error", text_or(e.error, "Unknown error from external agent")});
      doubt_taker_of(s, e.request);
      break;
    case ruling::finished_turn: {
      auto& t = *where.which;
      if (!t.loaded) return verdict::unread;
      const auto* taker = s.tree.taker_of(e.request, nullptr);
      const auto& thread = taker ? taker->row.thread : t.row.thread;
      if (thread) ended_again(s, t, e.request, *thread);
      break;
    }
    default:
      if (e.request.empty()) doubt_all_in_flight(s);
  }
  return verdict::applied;
}

}  // namespace throughline::state_sync
