#include "common/codec/subjects.hpp"

#include <algorithm>
#include <charconv>

namespace throughline::codec {
namespace {

constexpr std::string_view shard_prefix = "tl1.in.";
constexpr std::string_view event_prefix = "tl1.ev.";
constexpr std::string_view bridge_prefix = "tl1.bridge.";
constexpr std::size_t bridge_id_bytes_max = 64;

bool is_bridge_id(std::string_view id) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
  return !id.empty() && id.size() <= bridge_id_bytes_max && std::ranges::all_of(id, plain);
}

}  // namespace

std::string shard_subject(shard_number shard) {
  return std::string(shard_prefix) + std::to_string(shard);
}

std::string shard_subject(const session_id& session) {
  const auto shard = shard_of(session);
  return shard ? shard_subject(*shard) : std::string{};
}

std::string event_subject(const session_id& session) {
  return is_session_id(session.text()) ? std::string(event_prefix) + session.text() : std::string{};
}

std::string bridge_subject(const bridge_id& bridge) {
  return is_bridge_id(bridge.text()) ? std::string(bridge_prefix) + bridge.text() : std::string{};
}

std::string subject_of(const session_request& request) {
  return std::visit([](const auto& r) { return shard_subject(r.session); }, request);
}

std::string subject_of(const renew& request) {
  return request.attachments.empty() ? std::string{} : shard_subject(request.attachments.front().session);
}

std::string retry_subject_of(const read_request& request) {
  const auto of = [](const auto& r) {
    if constexpr (requires { r.session; }) {
      return shard_subject(r.session);
    } else if constexpr (requires { r.sessions; }) {
      return r.sessions.empty() ? std::string(read_subject) : shard_subject(r.sessions.front());
    } else {
      return std::string(read_subject);
    }
  };
  return std::visit(of, request);
}

std::optional<shard_number> parse_shard_subject(std::string_view subject) {
  if (!subject.starts_with(shard_prefix)) return std::nullopt;
  const auto digits = subject.substr(shard_prefix.size());
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
  shard_number shard = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), shard);
  if (fault != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return shard;
}

std::optional<session_id> parse_event_subject(std::string_view subject) {
  if (!subject.starts_with(event_prefix)) return std::nullopt;
  const auto id = subject.substr(event_prefix.size());
  if (!is_session_id(id)) return std::nullopt;
  return session_id(std::string(id));
}

std::optional<bridge_id> parse_bridge_subject(std::string_view subject) {
  if (!subject.starts_with(bridge_prefix)) return std::nullopt;
  const auto id = subject.substr(bridge_prefix.size());
  if (!is_bridge_id(id)) return std::nullopt;
  return bridge_id(std::string(id));
}

}  // namespace throughline::codec
