#include "tests/simulation/gateway.hpp"

#include "common/codec/parse.hpp"

namespace throughline::simulation {

using namespace throughline::gateway;

namespace {

constexpr micros tick_every{50'000};

result<codec::event_headers> headers_of(const io::message& m) {
  return codec::read_headers([&m](const char* name) -> std::optional<std::string_view> {
    for (const auto& [key, value] : m.headers) {
      if (key == name) return value;
    }
    return std::nullopt;
  });
}

}  // namespace

struct simulation::gateway::place {
  watcher* who = nullptr;
  bool full = false;
};

struct simulation::gateway::watched {
  session_id session;
  watch core;
  std::vector<place> places;
  bool snapshot_asked = false;
};

std::vector<replay::live_event> simulation::gateway::lines_of(std::string_view text) {
  std::vector<replay::live_event> out;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    auto h = codec::headers_of_body(line);
    if (!h) break;
    out.push_back({h->at, static_cast<event_kind>(h->kind), h->interaction, h->terminal,
                   std::make_shared<const std::string>(line)});
  }
  return out;
}

simulation::gateway::gateway(world& around) : w_(around), schedule_(around.by.next()) {}

void simulation::gateway::start() {
  tick();
}

void simulation::gateway::die() {
  w_.trace("gateway dies");
  alive_.reset();
  for (auto& [id, s] : sessions_) {
    for (auto& p : s->places) {
      if (auto* who = std::exchange(p.who, nullptr)) who->gateway_died();
    }
  }
  sessions_.clear();
}

void simulation::gateway::tick() {
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    const auto s = at->second;
    if (s->core.viewers() == 0 || s->core.gone()) {
      schedule_.remove(s->session);
      at = sessions_.erase(at);
      continue;
    }
    ++at;
    if (const auto due = s->core.next_deadline(); due && *due <= now()) {
      watch_effects out;
      s->core.time_passed(now(), out);
      perform(s, std::move(out));
    }
  }
  auto due = schedule_.due(now());
  if (!w_.planted(plant::no_head_check)) {
    for (auto& batch : due) check_heads(std::move(batch));
  }
  w_.loop.after(tick_every, alive_, [this] { tick(); });
}

/// Replies of an epoch lower than one that was seen are ignored (design 3.4).
bool simulation::gateway::admits(std::uint64_t epoch) {
  if (w_.planted(plant::epoch_ignored) || epoch == 0) return true;
  if (epoch < epoch_) return false;
  epoch_ = epoch;
  return true;
}

/// The planted fault: epochs are not looked at.
position simulation::gateway::seen(position at) const {
  return w_.planted(plant::epoch_ignored) && at.epoch != 0 ? position{1, at.seq} : at;
}

simulation::gateway::seat simulation::gateway::knock(watcher& who, const session_id& session, const user_id& user,
                                                     wire_version version) {
  auto& s = sessions_[session];
  if (!s || s->core.gone()) {
    s = std::make_shared<watched>();
    s->session = session;
    schedule_.add(session, now());
  }
  watch_effects out;
  const seat made{s, s->core.knock(user, version, now(), out)};
  if (s->places.size() <= made.key) s->places.resize(made.key + 1);
  s->places[made.key] = {&who, false};
  perform(made.where, std::move(out));
  return made;
}

void simulation::gateway::open(const seat& s, std::optional<position> since) {
  watch_effects out;
  s.where->core.open(s.key, since, now(), out);
  perform(s.where, std::move(out));
}

void simulation::gateway::leave(const seat& s) {
  s.where->places[s.key] = {};
  s.where->core.leave(s.key);
}

void simulation::gateway::writable(const seat& s) {
  s.where->places[s.key].full = false;
  watch_effects out;
  s.where->core.writable(s.key, now(), out);
  perform(s.where, std::move(out));
}

void simulation::gateway::resync(const seat& s) {
  watch_effects out;
  s.where->core.resync(s.key, now(), out);
  perform(s.where, std::move(out));
}

void simulation::gateway::received(const session_id& session, const io::message& m) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  const auto s = found->second;
  watch_effects out;
  told(s, m, out);
  perform(s, std::move(out));
}

void simulation::gateway::told(const watched_ptr& s, const io::message& m, watch_effects& out) {
  const auto headers = headers_of(m);
  if (!headers) return;
  if (codec::is_event(headers->kind)) {
    if (w_.planted(plant::splice_without_buffer) && s->snapshot_asked) return;
    s->core.event({seen(headers->at), static_cast<event_kind>(headers->kind), headers->interaction, headers->terminal,
                   std::make_shared<const std::string>(m.body)},
                  now(), out);
  } else if (headers->kind == codec::message_kind::deleted) {
    s->core.deleted(out);
  } else if (const auto notice = codec::parse_access(m.body)) {
    s->core.access_changed(w_.planted(plant::epoch_ignored) ? 1 : notice->epoch, notice->access, out);
  }
}

void simulation::gateway::perform(const watched_ptr& s, watch_effects effects) {
  for (const auto& e : effects) perform_one(s, e);
}

template <class Take>
void simulation::gateway::give(const watched_ptr& s, viewer_key key, const Take& take) {
  const auto p = s->places[key];
  if (!p.who || p.full) return;
  if (const std::optional<position> has = take(*p.who)) {
    s->places[key].full = true;
    s->core.overflowed(key, *has);
  }
}

void simulation::gateway::perform_one(const watched_ptr& s, const watch_effect& e) {
  if (std::holds_alternative<effect::ask_snapshot>(e)) return ask_snapshot(s);
  if (const auto* range = std::get_if<effect::ask_range>(&e)) return ask_range(s, *range);
  if (const auto* resume = std::get_if<effect::ask_resume>(&e)) return ask_resume(s, *resume);
  if (const auto* state = std::get_if<effect::send_state>(&e)) {
    for (const auto k : state->to) {
      give(s, k, [&](watcher& v) { return v.take_state(*state->what, state->with_baseline); });
    }
  } else if (const auto* one = std::get_if<effect::send_event>(&e)) {
    for (const auto k : one->to) give(s, k, [&](watcher& v) { return v.take_event(one->what); });
  } else if (const auto* many = std::get_if<effect::send_replay>(&e)) {
    for (const auto k : many->to) give(s, k, [&](watcher& v) { return v.take_replay(many->what, many->at); });
  } else if (const auto* beat = std::get_if<effect::heartbeat>(&e)) {
    for (const auto& [k, at] : beat->to) {
      if (s->places[k].who && !s->places[k].full) s->places[k].who->heartbeat(at);
    }
  } else if (const auto* yes = std::get_if<effect::admit>(&e)) {
    if (auto* who = s->places[yes->who].who) who->admitted();
  } else if (const auto* no = std::get_if<effect::refuse>(&e)) {
    if (auto* who = std::exchange(s->places[no->who], {}).who) who->refused();
  } else if (const auto* gone = std::get_if<effect::close_not_found>(&e)) {
    if (auto* who = std::exchange(s->places[gone->who], {}).who) who->not_found();
  }
}

void simulation::gateway::read(const read_request& what, std::function<void(std::optional<session_reading>)> then) {
  w_.read(
      what, alive_, [this](std::uint64_t epoch) { return admits(epoch); },
      [then = std::move(then)](std::optional<reading> got) {
        auto* one = got ? std::get_if<session_reading>(&*got) : nullptr;
        then(one ? std::optional(std::move(*one)) : std::nullopt);
      });
}

void simulation::gateway::ask_snapshot(const watched_ptr& s) {
  s->snapshot_asked = true;
  read(read_snapshot{s->session}, [this, s](std::optional<session_reading> got) {
    s->snapshot_asked = false;
    if (got) got->head = seen(got->head);
    watch_effects out;
    s->core.snapshot(std::move(got), now(), out);
    perform(s, std::move(out));
  });
}

void simulation::gateway::ask_range(const watched_ptr& s, const effect::ask_range& ask) {
  auto since = ask.missing.since;
  if (w_.planted(plant::epoch_ignored)) since.epoch = w_.db.epoch();
  const read_events what{.session = s->session, .since = since, .limit = ask.missing.to - since.seq};
  read(what, [this, s, ask](std::optional<session_reading> got) {
    watch_effects out;
    if (!got || !got->found) {
      s->core.range(ask.ticket, std::nullopt, true, now(), out);
    } else {
      auto events = lines_of(got->body);
      for (auto& e : events) e.at = seen(e.at);
      s->core.range(ask.ticket, std::move(events), got->known_position, now(), out);
    }
    perform(s, std::move(out));
  });
}

void simulation::gateway::ask_resume(const watched_ptr& s, const effect::ask_resume& ask) {
  const read_events what{.session = s->session, .since = ask.since, .limit = watch::resume_events_max};
  read(what, [this, s, ask](std::optional<session_reading> got) {
    std::optional<resumption> r;
    if (got && got->found) r = {lines_of(got->body), got->head, got->known_position, got->complete};
    watch_effects out;
    s->core.resumed(ask.ticket, std::move(r), now(), out);
    perform(s, std::move(out));
  });
}

void simulation::gateway::check_heads(std::vector<session_id> sessions) {
  std::map<session_id, position> held;
  for (const auto& id : sessions) {
    if (const auto s = sessions_.find(id); s != sessions_.end()) held[id] = s->second->core.held();
  }
  const auto take = [this, held, asked_at = now()](std::optional<reading> got) {
    auto* heads = got ? std::get_if<std::vector<head_reading>>(&*got) : nullptr;
    if (!heads) return;
    for (auto& one : *heads) {
      const auto s = sessions_.find(one.session);
      const auto before = held.find(one.session);
      if (s == sessions_.end() || before == held.end()) continue;
      one.head = seen(one.head);
      watch_effects out;
      const auto kept = s->second;
      const auto then = w_.planted(plant::behind_the_present) ? kept->core.held() : before->second;
      kept->core.head(then, one, asked_at, now(), out);
      perform(kept, std::move(out));
    }
  };
  w_.read(read_heads{std::move(sessions)}, alive_, [this](std::uint64_t epoch) { return admits(epoch); }, take);
}

}  // namespace throughline::simulation
