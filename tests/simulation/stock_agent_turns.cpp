// What the agent says in a turn, and the person who types in the editor.

#include <algorithm>

#include "common/delta/text.hpp"
#include "tests/simulation/stock_agent.hpp"

namespace throughline::simulation {

namespace wire_words = throughline::agent;

std::string stock_agent::words() {
  const char* kinds[] = {" word", " \xF0\x9F\x98\x80", " caf\xC3\xA9", "\n- item", " \xE2\x9C\x93"};
  return kinds[w_.by.below(5)] + std::to_string(++texts_);
}

void stock_agent::begin_turn(thread& t, agent_turn made) {
  made.disturbed = w_.check.is_disturbed(t.id);
  if (!made.typed) {
    // The prompt is an entry of the thread as well, and not said.
    t.entries.push_back(
        {{message_id{std::to_string(t.entries.size())}, entry_type::text, made.prompt, "", ""}, "user"});
  }
  t.request = made.request;
  t.first = t.entries.size();
  t.turn = &w_.check.begins(std::move(made));
  t.steps_left = 1 + static_cast<int>(w_.by.below(8));
  t.stuck = w_.happens(w_.bad.agent_error * 2);
  ++t.life;
  plan(t);
}

void stock_agent::plan(thread& t) {
  if (t.stuck) return;
  const auto pause =
      w_.by.one_in(5) ? w_.by.between(micros(100'000), micros(4'000'000)) : w_.by.between(micros(500), micros(120'000));
  w_.loop.after(pause, process_, [this, id = t.id, life = t.life] {
    const auto still = threads_.find(id);
    if (still != threads_.end() && still->second.turn && still->second.life == life) step(still->second);
  });
}

void stock_agent::step(thread& t) {
  if (t.steps_left-- <= 0) {
    if (w_.happens(w_.bad.agent_error)) return fail_turn(t);
    return end_turn(t, true);
  }
  if (w_.happens(w_.bad.poison)) say_something_deadly(t);
  const auto count = t.entries.size() - t.first;
  const auto what = count == 0 ? 0 : w_.by.below(8);
  if (what <= 1) {
    // A new entry: all earlier ones of the turn are said again before it.
    for (auto i = t.first; i < t.entries.size(); ++i) say(t, i);
    const bool tool = count > 0 && w_.by.one_in(3);
    entry e{message_id{std::to_string(t.entries.size())}, tool ? entry_type::tool_call : entry_type::text,
            w_.by.one_in(8) ? "" : words(), tool ? "ls" : "", tool ? "Running" : ""};
    t.entries.push_back({std::move(e), t.request});
    say(t, t.entries.size() - 1);
  } else {
    const auto index = what == 2 ? t.first + w_.by.below(count) : t.entries.size() - 1;
    auto& e = t.entries[index].first;
    if (what == 2) {
      e.content = e.content.substr(0, e.content.find(' ', 1)) + words();  // a correction, perhaps of an earlier entry
    } else {
      e.content += words();
    }
    if (e.type == entry_type::tool_call && w_.by.one_in(2)) e.tool_status = "Completed";
    say(t, index);
  }
  plan(t);
}

void stock_agent::say(thread& t, std::size_t index) {
  const auto& e = t.entries[index].first;
  emit(wire_words::message_added{.thread = thread_id{t.id},
                                 .message = e.id,
                                 .type = e.type,
                                 .content = delta::whole(e.content),
                                 .request = request_id{t.request},
                                 .tool_name = e.tool_name,
                                 .tool_status = e.tool_status},
       t.id);
}

/// Once, and never again: each time costs lives.
void stock_agent::say_something_deadly(thread& t) {
  if (t.request.empty() || t.turn->disturbed) return;
  t.turn->disturbed = true;
  w_.trace("agent says something deadly");
  emit(wire_words::message_added{.thread = thread_id{t.id},
                                 .message = message_id{"deadly-" + std::to_string(++texts_)},
                                 .type = entry_type::text,
                                 .content = delta::whole(deadly),
                                 .request = request_id{t.request}},
       t.id);
}

void stock_agent::end_turn(thread& t, bool completed) {
  auto& turn = *t.turn;
  for (auto i = t.first; i < t.entries.size(); ++i) {
    if (t.entries[i].first.content.empty()) continue;
    say(t, i);
    turn.spoke = true;
    turn.entries.push_back(t.entries[i].first);
  }
  turn.completed = completed;
  if (completed) {
    emit(wire_words::message_completed{thread_id{t.id}, request_id{t.request}, "zed-agent", std::nullopt}, t.id);
  }
  w_.trace("agent ends the turn of " + turn.prompt);
  t.turn = nullptr;
  t.stuck = false;
  ++t.life;
  w_.loop.after(micros(100), process_, [this] { follow_up(); });
}

void stock_agent::fail_turn(thread& t) {
  // An error without an id names nothing, on a wire where it names no thread either: that turn looks like a silent one,
  // which is left alone (G6). Runs are about those that can be told apart.
  if (t.request.empty()) return end_turn(t, true);
  t.turn->disturbed = true;
  t.turn = nullptr;
  ++t.life;
  emit(wire_words::chat_response_error{request_id{t.request}, "exited mid-turn or hit max tokens"}, t.id);
  w_.loop.after(micros(100), process_, [this] { follow_up(); });
}

void stock_agent::type() {
  if (follow_ups_.size() > 0) return;
  const bool fresh = threads_.empty() || w_.by.one_in(4);
  if (fresh && w_.by.one_in(3)) return;
  auto& t = fresh ? new_thread()
                  : std::next(threads_.begin(), static_cast<std::ptrdiff_t>(w_.by.below(threads_.size())))->second;
  const auto text = "typed " + std::to_string(++texts_);
  w_.trace("a person types " + text + " in " + t.id);
  // What runs on the thread is cancelled by that, as the editor does it: its end comes first.
  if (t.turn) end_turn(t, w_.by.one_in(2));
  const bool announced_late = w_.by.one_in(2);
  const auto announce = [&] { emit(wire_words::user_created_thread{thread_id{t.id}, "Chat " + t.id}, t.id); };
  if (fresh && !announced_late) announce();
  const message_id id{std::to_string(t.entries.size())};
  t.entries.push_back({{id, entry_type::text, text, "", ""}, "user"});
  emit(wire_words::message_added{.thread = thread_id{t.id},
                                 .message = id,
                                 .role = wire_words::author::user,
                                 .type = entry_type::text,
                                 .content = delta::whole(text),
                                 .request = request_id{t.request}},
       t.id);
  if (fresh && announced_late) announce();
  begin_turn(t, {.request = t.request, .thread = t.id, .prompt = text, .typed = true});
}

void stock_agent::finish_all() {
  for (auto& [id, t] : threads_) {
    t.stuck = false;
    if (t.turn) end_turn(t, true);
  }
}

}  // namespace throughline::simulation
