#include "tests/scenarios/bridge_memory.hpp"

#include <algorithm>
#include <stdexcept>

#include "common/delta/text.hpp"

namespace throughline::tests {

hand_over bridge_memory::send(const attachment_id& a, const std::vector<line>& frames) {
  auto& s = attachments_[a];
  hand_over out{.attachment = a};
  for (const auto& f : frames) {
    numbered_frame n{.number = s.frames.size() + 1};
    if (f.word(0) != "empty") n.event = frame_of(s, f);
    n.agent_seq = std::stoull(f.option("seq", "0"));
    s.frames.push_back(n);
    out.frames.push_back(std::move(n));
  }
  return out;
}

hand_over bridge_memory::send_again(const attachment_id& a, std::uint64_t from, std::uint64_t to) {
  hand_over out{.attachment = a};
  for (const auto& f : attachments_[a].frames) {
    if (f.number >= from && f.number <= to) out.frames.push_back(f);
  }
  return out;
}

hand_over bridge_memory::send_full(const attachment_id& a, std::uint64_t number) {
  auto& s = attachments_[a];
  auto& first = std::get<agent::message_added>(*s.frames.at(number - 1).event);
  first.content = delta::whole(s.forwarded.at({first.thread, first.message}));
  for (auto& f : s.frames) {
    const auto* m = f.event ? std::get_if<agent::message_added>(&*f.event) : nullptr;
    if (f.number > number && m && m->thread == first.thread && m->message == first.message) f.event.reset();
  }
  return send_again(a, number, s.frames.size());
}

std::uint64_t bridge_memory::last_number(const attachment_id& a) const {
  const auto s = attachments_.find(a);
  return s == attachments_.end() ? 0 : s->second.frames.size();
}

request_id bridge_memory::request_of(const line& l) const {
  return request_id{names_.lengthen(l.option("request"))};
}

agent::message_added bridge_memory::message_of(sent& s, const line& l, agent::author role) const {
  agent::message_added m{.thread = thread_id{l.word(1)}, .message = message_id{l.word(2)}, .role = role};
  m.request = request_of(l);
  m.tool_name = l.option("tool");
  m.tool_status = l.option("status");
  if (l.has("type")) m.type = l.option("type") == "text" ? entry_type::text : entry_type::tool_call;
  auto& base = s.forwarded[{m.thread, m.message}];
  std::string content;
  for (int i = std::stoi(l.option("times", "1")); i > 0; --i) content += l.word(3);
  if (l.word(0) == "more") content = base + content;
  m.content = delta::delta_between(base, delta::hash_of(base), content);
  base = std::move(content);
  return m;
}

agent_event bridge_memory::frame_of(sent& s, const line& l) const {
  const auto& kind = l.word(0);
  const auto title = l.has("title") ? std::optional(l.option("title")) : std::nullopt;
  if (kind == "ping") return agent::ping{};
  if (kind == "ready") {
    const auto thread = l.has("thread") ? std::optional(thread_id{l.option("thread")}) : std::nullopt;
    return agent::agent_ready{l.option("agent", "zed-agent"), thread};
  }
  if (kind == "thread") return agent::thread_created{thread_id{l.word(1)}, request_of(l), title};
  if (kind == "user_thread") return agent::user_created_thread{thread_id{l.word(1)}, title};
  if (kind == "title") return agent::thread_title_changed{thread_id{l.word(1)}, l.word(2)};
  if (kind == "say" || kind == "more") return message_of(s, l, agent::author::assistant);
  if (kind == "user") return message_of(s, l, agent::author::user);
  if (kind == "done") {
    agent::message_completed c{.thread = thread_id{l.word(1)}, .request = request_of(l)};
    if (l.has("tokens")) c.usage = token_usage{.total_tokens = std::stoull(l.option("tokens"))};
    return c;
  }
  if (kind == "load_error") return agent::thread_load_error{thread_id{l.word(1)}, request_of(l), l.word(2)};
  if (kind == "error") return agent::chat_response_error{request_of(l), l.word(1)};
  if (kind == "cancelled" || kind == "noop") return agent::turn_cancelled{request_of(l), kind == "cancelled"};
  throw std::runtime_error("unknown frame " + kind);
}

}  // namespace throughline::tests
