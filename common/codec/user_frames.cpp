#include "common/codec/user_frames.hpp"

#include <utility>

#include "common/codec/http_bodies.hpp"
#include "common/codec/json_read.hpp"
#include "common/codec/json_write.hpp"
#include "common/codec/metadata.hpp"

namespace throughline::codec {
namespace {

constexpr const char* bad_frame = "bad_frame";
constexpr std::size_t token_bytes_max = 16384;

using decoded = std::expected<user_frame, user_frame_fault>;

user_frame read_prompt(field_reader& f, std::string id) {
  user::prompt out{std::move(id), f.text("content"), f.flag_or("interrupt", false)};
  if (!f.ok()) return out;
  if (out.content.empty()) f.blame_as("bad_request", "content", "is empty");
  if (out.content.size() > prompt_bytes_max) f.blame_as("too_large", "content", "is longer than 1 MiB");
  return out;
}

user_frame read_cancel(field_reader& f, std::string id) {
  user::cancel out{std::move(id), std::nullopt};
  if (f.has("interaction_id")) out.interaction = interaction_id(f.id("interaction_id", outside_id_bytes_max));
  return out;
}

user_frame read_body(field_reader& f, std::string_view type, std::string id) {
  if (type == "prompt") return read_prompt(f, std::move(id));
  if (type == "cancel") return read_cancel(f, std::move(id));
  if (type == "token") return user::token{std::move(id), f.id("token", token_bytes_max)};
  if (type != "resync") f.blame("type", "is unknown");
  return user::resync{std::move(id)};
}

/// Absent, or not usable: empty.
std::optional<std::string> read_id(const field_reader& f) {
  const auto e = f.get("id");
  std::string_view text;
  if (!e || e->get_string().get(text) != simdjson::SUCCESS) return std::nullopt;
  auto checked = check_idempotency_id(text);
  if (!checked) return std::nullopt;
  return *std::move(checked);
}

template <class Fill>
std::string frame(std::string_view type, Fill fill) {
  std::string out;
  json_writer w(out);
  w.begin_object();
  w.text("type", type);
  fill(w);
  w.end_object();
  return out;
}

std::string place_frame(std::string_view type, const session_id& session, position at) {
  return frame(type, [&](json_writer& w) {
    w.text("session_id", session.text());
    w.number("epoch", at.epoch);
    w.number("seq", at.seq);
  });
}

}  // namespace

decoded decode_user_frame(std::string_view text) {
  const auto fault = [](std::optional<std::string> id, error what) {
    return std::unexpected(user_frame_fault{std::move(id), std::move(what)});
  };
  const json_document document(text);
  if (!document.ok()) return fault(std::nullopt, {bad_frame, "not JSON: " + document.why()});
  field_reader f(document.root(), bad_frame);
  const auto type = f.text("type");
  if (!f.ok()) return fault(std::nullopt, f.failure().error());
  const auto id = read_id(f);
  auto out = read_body(f, type, id.value_or(""));
  if (!id) f.blame("id", "must be a string of 1 to 128 bytes without control characters");
  if (!f.ok()) return fault(id, f.failure().error());
  return out;
}

std::string encode_user_ack(std::string_view id, std::string_view body) {
  return frame("ack", [&](json_writer& w) {
    w.text("id", id);
    w.text("status", "ok");
    const json_document document(body);
    simdjson::dom::object fields;
    if (!document.ok() || document.root().get_object().get(fields) != simdjson::SUCCESS) return;
    for (const auto& [name, value] : fields) {
      std::string json;
      if (!append_sanitised(json, value)) continue;
      w.raw(name == "status" ? "result" : name, json);
    }
  });
}

std::string encode_user_error(const std::optional<std::string>& id, std::string_view code, std::string_view message) {
  return frame("error", [&](json_writer& w) {
    if (id) w.text("id", *id);
    w.text("code", code);
    w.text("message", message);
  });
}

std::string encode_heartbeat(const session_id& session, position last_sent) {
  return place_frame("heartbeat", session, last_sent);
}

std::string encode_replay_complete(const session_id& session, position at) {
  return place_frame("replay_complete", session, at);
}

std::string encode_reconnect(std::uint32_t after_ms) {
  return frame("reconnect", [&](json_writer& w) { w.number("after_ms", after_ms); });
}

std::string close_reason(std::uint32_t after_ms) {
  return "{\"after_ms\":" + std::to_string(after_ms) + "}";
}

}  // namespace throughline::codec
