#include <utility>

#include "common/codec/agent_frames.hpp"
#include "common/codec/json_write.hpp"

namespace throughline::codec {
namespace {

void write_data(json_writer& w, const agent::chat_message& c) {
  w.text("message", c.message);
  w.text("request_id", c.request.text());
  w.text("interaction_id", c.interaction.text());
  w.key("acp_thread_id");
  c.thread ? w.text(c.thread->text()) : w.null();
  w.text("agent_name", c.agent_name);
  w.text("session_id", c.session.text());
  w.flag("interrupt", c.interrupt);
  if (c.redelivered) w.flag("redelivered", true);
}

void write_data(json_writer& w, const agent::open_thread& c) {
  w.text("acp_thread_id", c.thread.text());
  w.text("session_id", c.session.text());
  w.text("request_id", c.request.text());
  if (!c.agent_name.empty()) w.text("agent_name", c.agent_name);
}

void write_data(json_writer& w, const agent::cancel_current_turn& c) {
  w.text("request_id", c.request.text());
  w.text("session_id", c.session.text());
}

template <class Fill>
std::string frame(std::string_view type, Fill fill) {
  std::string out;
  json_writer w(out);
  w.begin_object();
  w.text("type", type);
  w.key("data");
  w.begin_object();
  fill(w);
  w.end_object();
  w.end_object();
  return out;
}

std::string_view type_of(const agent::chat_message&) {
  return "chat_message";
}
std::string_view type_of(const agent::open_thread&) {
  return "open_thread";
}
std::string_view type_of(const agent::cancel_current_turn&) {
  return "cancel_current_turn";
}

}  // namespace

std::string encode_command(const agent_command& command) {
  return std::visit([](const auto& c) { return frame(type_of(c), [&](json_writer& w) { write_data(w, c); }); },
                    command);
}

std::string encode_agent_error(std::string_view code, std::string_view message) {
  return frame("error", [&](json_writer& w) {
    w.text("code", code);
    w.text("message", message);
  });
}

std::string encode_resume(position last) {
  return frame("resume", [&](json_writer& w) {
    w.number("epoch", last.epoch);
    w.number("seq", last.seq);
  });
}

std::string encode_agent_ack(std::uint64_t seq) {
  return frame("ack", [&](json_writer& w) { w.number("seq", seq); });
}

}  // namespace throughline::codec
