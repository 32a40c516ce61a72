#include "tests/simulation/people.hpp"

#include <algorithm>

#include "common/codec/chat_answers.hpp"

namespace throughline::simulation {

using throughline::gateway::attempt_outcome;
using throughline::gateway::mutation_attempts;

session_id people::some_session() {
  const auto& all = w_.db.rows().sessions();
  if (w_.by.one_in(4)) return std::next(all.begin(), static_cast<std::ptrdiff_t>(w_.by.below(all.size())))->first;
  return w_.db.root();
}

caller people::by(const std::string& fingerprint) {
  return {user_id{"alice"}, "wish-" + std::to_string(++wishes_), fingerprint};
}

void people::act() {
  switch (w_.by.below(10)) {
    case 0:
      return rename();
    case 1:
      return grant();
    case 2:
    case 3:
      return cancel();
    default:
      return post();
  }
}

void people::post() {
  const auto content = "prompt " + std::to_string(wishes_ + 1);
  want(post_prompt{by(content), some_session(), content, w_.by.one_in(5)});
}

void people::cancel() {
  cancel_turn c{by("cancel"), some_session(), std::nullopt};
  const auto turns = w_.db.rows().turns(c.session);
  if (!turns.empty() && w_.by.one_in(2)) c.interaction = turns[w_.by.below(turns.size())].record.id;
  want(c);
}

void people::rename() {
  want(rename_session{by("rename"), some_session(), "name " + std::to_string(wishes_)});
}

void people::grant() {
  if (w_.by.one_in(2)) return want(delete_grant{by("ungrant"), w_.db.root(), user_id{"bob"}});
  want(put_grant{by("grant"), w_.db.root(), user_id{"bob"}, role::viewer});
}

void people::want(session_request request) {
  auto what = std::make_shared<wish>();
  std::visit(
      [&](const auto& r) {
        if constexpr (requires { r.by; }) {
          what->id = r.by.id;
          what->scope = r.session.text();
        }
      },
      request);
  what->request = std::move(request);
  const int at_once = w_.by.one_in(6) ? 3 : 1;
  for (int i = 0; i < at_once; ++i) {
    const auto how = std::make_shared<mutation_attempts>(std::chrono::duration_cast<millis>(w_.loop.now()),
                                                         std::holds_alternative<cancel_turn>(what->request)
                                                             ? throughline::gateway::cancel_patience
                                                             : mutation_attempts::patience());
    attempt(what, how, how->first().timeout);
  }
}

void people::attempt(const std::shared_ptr<wish>& what, const std::shared_ptr<mutation_attempts>& how, millis timeout) {
  auto request = what->request;
  ++what->tries;
  if (auto* c = std::get_if<cancel_turn>(&request); c && w_.planted(plant::cancel_without_id)) {
    c->by.id += "~" + std::to_string(what->tries);
  }
  w_.ask_owner(request, timeout, alive_, [=, this](const world::owner_outcome& got) {
    auto became = attempt_outcome::unanswered;
    millis after{0};
    if (const auto* said = std::get_if<world::owner_answer>(&got)) {
      if (const auto* a = std::get_if<answer>(&said->what)) {
        const bool renamed = w_.planted(plant::no_dedupe) || w_.planted(plant::cancel_without_id);
        if (!renamed) w_.check.acknowledged(what->scope, what->id, *a);
        return follow_answer(*what, *a);
      }
      const auto* later = std::get_if<deferred>(&said->what);
      if (later && later->why == deferral::busy) became = attempt_outcome::busy;
      if (later && later->why == deferral::not_owner) became = attempt_outcome::not_owner;
      if (later) after = millis(later->after_ms);
    } else if (std::get<agent_bridge::send_failure>(got) == agent_bridge::send_failure::no_responders) {
      became = attempt_outcome::nobody;
    }
    const auto now = std::chrono::duration_cast<millis>(w_.loop.now());
    if (const auto next = how->next(became, after, now)) {
      return w_.loop.after(next->wait, alive_, [=, this] { attempt(what, how, next->timeout); });
    }
    // outcome_unknown: a person tries again under the same id, or gives up.
    if (!w_.by.one_in(2)) return;
    const auto again = std::make_shared<mutation_attempts>(now);
    attempt(what, again, again->first().timeout);
  });
}

/// Some wait for the answer to their prompt as a stream.
void people::follow_answer(const wish& what, const answer& said) {
  const auto* post = std::get_if<post_prompt>(&what.request);
  if (!post || said.status != 202 || !w_.by.one_in(4)) return;
  if (const auto id = codec::interaction_of_message(said.body)) w_.follow(post->by.user, post->session, *id);
}

}  // namespace throughline::simulation
