#include "tests/support/row_store.hpp"

#include <algorithm>
#include <ranges>
#include <set>

#include "common/delta/patch.hpp"

namespace throughline::tests {

using namespace state_sync;

namespace {

void refuse_unless(bool good, const std::string& why) {
  if (!good) throw refused_write(why);
}

}  // namespace

void row_store::commit(const changes& c) {
  auto next = *this;
  next.check_fence(c);
  next.take_events(c);
  for (const auto& s : c.sessions) next.sessions_[s.id] = s;
  for (const auto& t : c.threads) next.threads_[{t.root, t.thread}] = t;
  next.take_turns(c);
  next.take_queue_and_sockets(c);
  next.take_access(c);
  for (const auto& h : c.heads) {
    auto& row = next.heads_[h.id];
    const auto version = row.version;
    row = h;
    row.version = version + 1;
    const auto& log = next.events_[h.id];
    refuse_unless(row.seq == log.size(), "head of " + h.id.text() + " is not its last event");
  }
  *this = std::move(next);
}

/// Every session that changes, and the root of its tree, is in `heads` (design 3.3).
void row_store::check_fence(const changes& c) const {
  std::set<session_id> fenced;
  for (const auto& h : c.heads) refuse_unless(fenced.insert(h.id).second, "two heads of one session");
  const auto need = [&](const session_id& s) {
    refuse_unless(fenced.contains(s), "change of " + s.text() + " without its head");
  };
  for (const auto& e : c.events) need(e.session);
  for (const auto& s : c.sessions) {
    need(s.id);
    need(s.root);
  }
  for (const auto& t : c.threads) need(t.root);
  for (const auto& t : c.turns) need(t.record.session);
  for (const auto& p : c.prompts) need(p.session);
  for (const auto& [s, id] : c.prompts_gone) need(s);
  for (const auto& a : c.attachments) need(a.root);
  for (const auto& x : c.commands) need(x.session);
  for (const auto& g : c.grants) need(g.root);
  for (const auto& t : c.tokens) need(t.session);
  const bool anything = !c.answers.empty() || !c.commands_gone.empty() || !c.attachments_gone.empty();
  refuse_unless(!anything || !fenced.empty(), "a write without any head");
}

void row_store::take_events(const changes& c) {
  for (const auto& e : c.events) {
    auto& log = events_[e.session];
    refuse_unless(e.at.seq == log.size() + 1, "hole or repeat in the log of " + e.session.text());
    log.push_back(e);
  }
}

void row_store::take_turns(const changes& c) {
  std::set<turn_key> written;
  for (const auto& t : c.turns) {
    const turn_key key{t.record.session, t.record.id};
    refuse_unless(written.insert(key).second, "one turn written twice");
    const auto before = turns_.find(key);
    const bool was_final = before != turns_.end() && is_terminal(before->second.record.state);
    refuse_unless(!was_final || before->second.record.state == t.record.state, "a terminal state changed");
    auto row = t;
    if (is_terminal(t.record.state)) {
      entries_[key] = std::exchange(row.record.entries, {});
    } else {
      refuse_unless(row.record.entries.empty(), "entries of an open turn are written by folds");
    }
    // Its folded_seq is that of the last fold; a fold of this very write says so below.
    turns_[key] = std::move(row);
  }
  for (const auto& f : c.folds) {
    const turn_key key{f.session, f.interaction};
    refuse_unless(turns_.contains(key), "fold of an unknown turn");
    entries_[key] = *f.entries;
    turns_[key].folded_seq = std::max(turns_[key].folded_seq, f.seq);
  }
}

void row_store::take_queue_and_sockets(const changes& c) {
  for (const auto& p : c.prompts) prompts_[{p.session, p.prompt.interaction}] = p;
  for (const auto& key : c.prompts_gone) prompts_.erase(key);
  for (const auto& a : c.attachments) attachments_[a.id] = a;
  for (const auto& id : c.attachments_gone) attachments_.erase(id);
  for (const auto& x : c.commands) commands_[x.id] = x;
  for (const auto& id : c.commands_gone) commands_.erase(id);
}

void row_store::take_access(const changes& c) {
  for (const auto& g : c.grants) grants_[{g.root, g.value.user}] = g;
  for (const auto& key : c.grants_gone) grants_.erase(key);
  for (const auto& t : c.tokens) {
    refuse_unless(tokens_.emplace(t.hash, t).second, "a token hash of another session");
  }
  for (const auto& s : c.tokens_gone) {
    std::erase_if(tokens_, [&](const auto& t) { return t.second.session == s; });
  }
  for (const auto& a : c.answers) {
    refuse_unless(answers_.emplace(std::pair{a.scope, a.id}, a).second, "a second answer under one id: " + a.id);
  }
}

turn_row row_store::as_read(const turn_key& key, const turn_row& row) const {
  auto out = row;
  if (const auto e = entries_.find(key); e != entries_.end()) out.record.entries = e->second;
  if (is_terminal(row.record.state)) return out;
  out.unfolded_weight = 0;
  for (const auto& e : events(key.first)) {
    const auto* patches = std::get_if<patch_set>(&e.body);
    if (!patches || e.interaction != key.second || e.at.seq <= row.folded_seq) continue;
    delta::apply(out.record.entries, *patches);
    out.unfolded_weight += weight_of(*patches);
  }
  return out;
}

tree_rows row_store::load(const session_id& root) const {
  tree_rows out;
  const auto in_tree = [&](const session_id& s) {
    const auto row = sessions_.find(s);
    return row != sessions_.end() && row->second.root == root;
  };
  for (const auto& [id, s] : sessions_) {
    if (s.root != root) continue;
    out.sessions.insert(s.parent ? out.sessions.end() : out.sessions.begin(), s);
    out.heads.push_back(heads_.at(id));
  }
  for (const auto& [key, t] : threads_) {
    if (key.first == root) out.threads.push_back(t);
  }
  for (const auto& [key, t] : turns_) {
    if (!in_tree(key.first)) continue;
    auto row = as_read(key, t);
    if (is_terminal(row.record.state)) row.record.entries.clear();
    out.turns.push_back(std::move(row));
  }
  for (const auto& [key, p] : prompts_) {
    if (in_tree(key.first)) out.prompts.push_back(p);
  }
  for (const auto& [id, a] : attachments_) {
    if (a.root == root) out.attachments.push_back(a);
  }
  for (const auto& [id, x] : commands_) {
    if (in_tree(x.session)) out.commands.push_back(x);
  }
  for (const auto& [key, g] : grants_) {
    if (key.first == root) out.grants.push_back(g);
  }
  for (const auto& [hash, t] : tokens_) {
    if (t.session == root) out.tokens.push_back(t);
  }
  return out;
}

turn_row row_store::finished(const session_id& session, const interaction_id& id) const {
  const turn_key key{session, id};
  return as_read(key, turns_.at(key));
}

std::optional<answer_row> row_store::answer(const std::string& scope, const std::string& id) const {
  const auto found = answers_.find({scope, id});
  return found == answers_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<answer_row> row_store::prior_of(const session_request& r) const {
  return std::visit(
      [this](const auto& q) -> std::optional<answer_row> {
        if constexpr (std::is_same_v<std::decay_t<decltype(q)>, create_session>) {
          return answer("user:" + q.by.user.text(), q.by.id);
        } else if constexpr (requires { q.by; }) {
          return answer(q.session.text(), q.by.id);
        } else {
          return std::nullopt;
        }
      },
      r);
}

const std::vector<event>& row_store::events(const session_id& s) const {
  static const std::vector<event> none;
  const auto found = events_.find(s);
  return found == events_.end() ? none : found->second;
}

std::vector<session_id> row_store::roots() const {
  std::vector<session_id> out;
  for (const auto& [id, s] : sessions_) {
    if (!s.parent) out.push_back(id);
  }
  return out;
}

std::optional<session_id> row_store::root_of(const session_id& s) const {
  const auto row = sessions_.find(s);
  return row == sessions_.end() ? std::nullopt : std::optional(row->second.root);
}

std::vector<turn_row> row_store::turns(const session_id& s) const {
  std::vector<turn_row> out;
  for (const auto& [key, t] : turns_) {
    if (key.first == s) out.push_back(as_read(key, t));
  }
  std::ranges::sort(out, {}, [](const turn_row& t) { return t.record.ordinal; });
  return out;
}

}  // namespace throughline::tests
