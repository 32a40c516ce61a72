#include "services/state-sync/shell/store/write_set.hpp"

#include <iterator>

#include "common/codec/render.hpp"

namespace throughline::state_sync {
namespace {

template <class Map>
void merge(Map& into, Map&& from) {
  for (auto& [key, row] : from) into.insert_or_assign(key, std::move(row));
}

}  // namespace

void write_set::add_events(const std::vector<event>& added) {
  for (const auto& e : added) {
    rendered_event r{e, {}};
    codec::render_event(r.body, e);
    events.push_back(std::move(r));
    if (kind_of(e) != event_kind::interaction_update) continue;
    const auto& shown = *std::get<std::shared_ptr<const interaction>>(e.body);
    const turn_key key{e.session, e.interaction};
    if (!is_terminal(shown.state)) {
      began_.emplace(key, e.at.seq);
      continue;
    }
    began_.emplace(key, e.at.seq);  // a turn may begin and end in one event
    auto& body = terminal_[key];
    body.clear();
    codec::render_interaction(body, shown);
  }
}

void write_set::add_turns(const changes& c) {
  for (const auto& row : c.turns) {
    const turn_key key{row.record.session, row.record.id};
    turns.insert_or_assign(key, turn_write{row, 0, std::nullopt});
  }
  for (auto& [key, write] : turns) {
    if (const auto began = began_.find(key); began != began_.end()) write.began_seq = began->second;
    if (const auto body = terminal_.find(key); body != terminal_.end()) write.body = body->second;
  }
}

void write_set::add(const changes& c) {
  add_events(c.events);
  add_turns(c);
  for (const auto& row : c.heads) heads.insert_or_assign(row.id, row);
  for (const auto& row : c.sessions) sessions.insert_or_assign(row.id, row);
  for (const auto& row : c.threads) threads.insert_or_assign({row.root, row.thread}, row);
  for (const auto& row : c.folds) folds.insert_or_assign({row.session, row.interaction}, row);
  for (const auto& key : c.prompts_gone) prompts[key].reset();
  for (const auto& row : c.prompts) prompts[{row.session, row.prompt.interaction}] = row;
  for (const auto& key : c.attachments_gone) attachments[key].reset();
  for (const auto& row : c.attachments) attachments[row.id] = row;
  for (const auto& key : c.commands_gone) commands[key].reset();
  for (const auto& row : c.commands) commands[row.id] = row;
  for (const auto& key : c.grants_gone) grants[key].reset();
  for (const auto& row : c.grants) grants[{row.root, row.value.user}] = row;
  for (const auto& gone : c.tokens_gone) {
    tokens_gone.insert(gone);
    std::erase_if(tokens, [&](const auto& token) { return token.second.session == gone; });
  }
  for (const auto& row : c.tokens) tokens.insert_or_assign(row.hash, row);
  for (const auto& row : c.answers) answers.insert_or_assign({row.scope, row.id}, row);
}

void write_set::add(write_set&& other) {
  events.insert(events.end(), std::make_move_iterator(other.events.begin()),
                std::make_move_iterator(other.events.end()));
  merge(heads, std::move(other.heads));
  merge(sessions, std::move(other.sessions));
  merge(threads, std::move(other.threads));
  merge(turns, std::move(other.turns));
  merge(folds, std::move(other.folds));
  merge(prompts, std::move(other.prompts));
  merge(attachments, std::move(other.attachments));
  merge(commands, std::move(other.commands));
  merge(grants, std::move(other.grants));
  merge(tokens, std::move(other.tokens));
  tokens_gone.merge(other.tokens_gone);
  merge(answers, std::move(other.answers));
}

}  // namespace throughline::state_sync
