#include "services/state-sync/shell/pending_input.hpp"

#include <type_traits>

#include "common/codec/render.hpp"

namespace throughline::state_sync {

hand_over* frames_of(pending_input& input) {
  auto* request = input.request();
  return request == nullptr ? nullptr : std::get_if<hand_over>(&request->request);
}

const hand_over* frames_of(const pending_input& input) {
  const auto* request = input.request();
  return request == nullptr ? nullptr : std::get_if<hand_over>(&request->request);
}

const session_id& session_of(const session_request& request) {
  return std::visit([](const auto& r) -> const session_id& { return r.session; }, request);
}

shard_number shard_or_zero(const session_id& session) {
  return shard_of(session).value_or(0);
}

std::optional<answer_key> answer_key_of(const session_request& request) {
  return std::visit(
      [](const auto& r) -> std::optional<answer_key> {
        using kind = std::decay_t<decltype(r)>;
        if constexpr (std::is_same_v<kind, create_session>) {
          return answer_key{"user:" + r.by.user.text(), r.by.id};
        } else if constexpr (requires { r.by; }) {
          return answer_key{r.session.text(), r.by.id};
        } else {
          return std::nullopt;
        }
      },
      request);
}

reply refusal_of(const session_request& request, int status, const char* code, const char* message) {
  return std::visit(
      [&](const auto& r) -> reply {
        using kind = std::decay_t<decltype(r)>;
        if constexpr (requires { r.by; }) {
          return answer{status, codec::error_body(code, message)};
        } else if constexpr (std::is_same_v<kind, attach>) {
          return attach_refused{status, code, 0};
        } else if constexpr (std::is_same_v<kind, hand_over>) {
          return hand_over_result{hand_over_status::refused, r.frames.empty() ? 0 : r.frames.front().number, code};
        } else {
          return deferred{deferral::busy, 1000};
        }
      },
      request);
}

}  // namespace throughline::state_sync
