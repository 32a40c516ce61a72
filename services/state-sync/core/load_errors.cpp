#include "services/state-sync/core/load_errors.hpp"

#include <string>

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
  t.row.in_doubt = false;
  t.row.doubt_since.reset();
  if (t.row.command) s.gone(command_id{*t.row.command});
  t.row.command.reset();
  t.row.thread.reset();
  s.changed(t);
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

void on_response_error(step& s, const agent::chat_response_error& e) {
  const auto where = resolve(s.tree, {.request = &e.request});
  if (where.what != ruling::open_turn) return;
  end(s, *where.which, {turn_state::error, "agent_error", text_or(e.error, "Unknown error from external agent")});
}

}  // namespace throughline::state_sync
