#include <stdexcept>

#include "tests/scenarios/world.hpp"

namespace throughline::tests {

session_id world::session_of(const line& l) const {
  return l.has("session") ? session_id{names_.lengthen(l.option("session"))} : root_;
}

/// `id=` names the request; without it each is another one. The fingerprint is the request but for its id and its
/// secret.
caller world::caller_of(const line& l) {
  caller by{.user = user_id{l.word(1)}};
  by.id = l.has("id") ? l.option("id") : "auto-" + std::to_string(++unnamed_ids_);
  const auto secret = l.word(0) == "token" ? std::optional(l.word(2)) : std::nullopt;
  for (const auto& w : l.words) {
    if (w != secret) by.fingerprint += w + "|";
  }
  for (const auto& [k, v] : l.options) {
    if (k != "id") by.fingerprint += k + "=" + v + "|";
  }
  return by;
}

session_request world::request_of(const act& a) {
  const auto& kind = a.input.word(0);
  for (const auto* bridge :
       {"attach", "detach", "seal", "renew", "frames", "again", "full", "written", "not_written"}) {
    if (kind == bridge) return bridges(a);
  }
  return people(a.input);
}

session_request world::people(const line& l) {
  const auto& kind = l.word(0);
  if (kind == "create") {
    if (root_.empty()) {
      id_source chance{7};
      root_ = session_id{make_id("ses_", 1'700'000'000'000, chance)};
    }
    return create_session{caller_of(l), root_, l.option("name"), l.option("agent"), l.option("metadata", "{}")};
  }
  const auto session = session_of(l);
  if (kind == "rename") return rename_session{caller_of(l), session, l.word(2)};
  if (kind == "delete") return delete_session{caller_of(l), session};
  if (kind == "post") {
    std::string content;
    for (int i = std::stoi(l.option("times", "1")); i > 0; --i) content += l.word(2);
    const bool interrupt = l.words.size() > 3 && l.word(3) == "interrupt";
    return post_prompt{caller_of(l), session, std::move(content), interrupt};
  }
  if (kind == "cancel") {
    const auto turn = names_.lengthen(l.option("turn"));
    return cancel_turn{caller_of(l), session, turn.empty() ? std::nullopt : std::optional(interaction_id{turn})};
  }
  if (kind == "grant") {
    return put_grant{caller_of(l), session, user_id{l.word(2)}, l.word(3) == "editor" ? role::editor : role::viewer};
  }
  if (kind == "ungrant") return delete_grant{caller_of(l), session, user_id{l.word(2)}};
  if (kind == "token") {
    const auto ttl = l.has("ttl") ? std::optional(millis{std::stoll(l.option("ttl")) * 1000}) : std::nullopt;
    return mint_agent_token{caller_of(l), session, l.word(2), ttl};
  }
  if (kind == "revoke") return revoke_agent_tokens{caller_of(l), session};
  throw std::runtime_error("unknown input " + kind);
}

session_request world::bridges(const act& a) {
  const auto& l = a.input;
  const auto& kind = l.word(0);
  const attachment_id att{l.word(1)};
  const bridge_id bridge{l.option("bridge", "b1")};
  const auto session = session_of(l);
  if (kind == "attach") {
    const auto instance = l.has("instance") ? std::optional(l.option("instance")) : std::nullopt;
    return attach{session, att, bridge, l.option("token", "t"), instance};
  }
  const auto last = l.has("last") ? std::stoull(l.option("last")) : bridges_.last_number(att);
  if (kind == "detach") return detach{session, att, last};
  if (kind == "seal") return seal{session, att, last};
  if (kind == "renew") return renewal{session, att};
  if (kind == "written" || kind == "not_written") {
    return command_outcome{session, att, command_id{names_.lengthen(l.word(2))}, kind == "written"};
  }
  auto h = kind == "frames" ? bridges_.send(att, a.frames)
           : kind == "full" ? bridges_.send_full(att, std::stoull(l.option("from")))
                            : bridges_.send_again(att, std::stoull(l.option("from")), last);
  h.session = session;
  h.bridge = bridge;
  h.acknowledged = std::stoull(l.option("ack", "0"));
  h.attempt = static_cast<std::uint32_t>(std::stoul(l.option("attempt", "1")));
  return h;
}

}  // namespace throughline::tests
