#include "tests/simulation/gateway.hpp"

#include "common/codec/parse.hpp"
#include "tests/simulation/viewer.hpp"

namespace throughline::simulation {

using namespace throughline::gateway;

namespace {

constexpr micros tick_every{50'000};

std::vector<replay::live_event> lines_of(std::string_view text) {
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

}  // namespace

simulation::gateway::gateway(world& around) : w_(around), schedule_(around.by.next()) {}

void simulation::gateway::start() {
  tick();
}

void simulation::gateway::die() {
  w_.trace("gateway dies");
  alive_.reset();
  for (auto& [id, s] : sessions_) {
    for (auto& p : s->places) {
      if (p.who) p.who->gateway_died();
    }
  }
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

/// The planted fault: epochs are not looked at.
position simulation::gateway::seen(position at) const {
  return w_.planted(plant::epoch_ignored) && at.epoch != 0 ? position{1, at.seq} : at;
}

session_reading simulation::gateway::seen(session_reading r) const {
  r.head = seen(r.head);
  return r;
}

void simulation::gateway::knock(viewer& who) {
  auto& s = sessions_[who.session()];
  if (!s || s->core.gone()) {
    s = std::make_shared<watched>();
    s->session = who.session();
    schedule_.add(who.session(), now());
  }
  watch_effects out;
  who.key = s->core.knock(who.user(), who.kind() == page::stock ? wire_version::v1 : wire_version::v2, now(), out);
  who.placed = true;
  if (s->places.size() <= who.key) s->places.resize(who.key + 1);
  s->places[who.key] = {&who, false};
  perform(watched_ptr(s), std::move(out));
}

simulation::gateway::watched_ptr simulation::gateway::watched_by(const viewer& who) const {
  const auto s = sessions_.find(who.session());
  const bool here = s != sessions_.end() && who.placed && s->second->places.size() > who.key &&
                    s->second->places[who.key].who == &who;
  return here ? s->second : nullptr;
}

void simulation::gateway::leave(viewer& who) {
  const auto s = watched_by(who);
  if (!s) return;
  s->places[who.key] = {};
  s->core.leave(who.key);
}

void simulation::gateway::writable(viewer& who) {
  const auto s = watched_by(who);
  if (!s || !s->places[who.key].full) return;
  s->places[who.key].full = false;
  watch_effects out;
  s->core.writable(who.key, now(), out);
  perform(s, std::move(out));
}

void simulation::gateway::resync(viewer& who) {
  const auto s = watched_by(who);
  if (!s) return;
  watch_effects out;
  s->core.resync(who.key, now(), out);
  perform(s, std::move(out));
}

void simulation::gateway::event(const stored_event& e) {
  const auto found = sessions_.find(e.session);
  if (found == sessions_.end()) return;
  const auto s = found->second;
  if (w_.planted(plant::splice_without_buffer) && s->snapshot_asked) return;
  watch_effects out;
  s->core.event(
      {seen(e.at), static_cast<event_kind>(e.headers.kind), e.headers.interaction, e.headers.terminal, e.body}, now(),
      out);
  perform(s, std::move(out));
}

void simulation::gateway::access_changed(const session_id& session, std::uint64_t epoch, const access_list& access) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  const auto s = found->second;
  watch_effects out;
  s->core.access_changed(w_.planted(plant::epoch_ignored) ? 1 : epoch, access, out);
  perform(s, std::move(out));
}

void simulation::gateway::perform(const watched_ptr& s, watch_effects effects) {
  for (const auto& e : effects) perform_one(s, e);
}

void simulation::gateway::perform_one(const watched_ptr& s, const watch_effect& e) {
  const auto give = [&](viewer_key key, auto&& take) {
    auto& p = s->places[key];
    if (!p.who || p.full) return;
    auto* who = p.who;
    if (const std::optional<position> has = take(*who)) {
      s->places[key].full = true;
      s->core.overflowed(key, *has);
    }
  };
  if (std::holds_alternative<effect::ask_snapshot>(e)) return ask_snapshot(s);
  if (const auto* range = std::get_if<effect::ask_range>(&e)) return ask_range(s, *range);
  if (const auto* resume = std::get_if<effect::ask_resume>(&e)) return ask_resume(s, *resume);
  if (const auto* state = std::get_if<effect::send_state>(&e)) {
    for (const auto k : state->to) give(k, [&](viewer& v) { return v.take_state(*state->what, state->with_baseline); });
  } else if (const auto* one = std::get_if<effect::send_event>(&e)) {
    for (const auto k : one->to) give(k, [&](viewer& v) { return v.take_event(one->what); });
  } else if (const auto* many = std::get_if<effect::send_replay>(&e)) {
    for (const auto k : many->to) give(k, [&](viewer& v) { return v.take_replay(many->what, many->at); });
  } else if (const auto* beat = std::get_if<effect::heartbeat>(&e)) {
    for (const auto& [k, at] : beat->to) {
      if (s->places[k].who && !s->places[k].full) s->places[k].who->heartbeat(at);
    }
  } else if (const auto* yes = std::get_if<effect::admit>(&e)) {
    auto* who = s->places[yes->who].who;
    if (!who) return;
    who->admitted();
    // The upgrade's answer comes first; then the socket is open.
    w_.loop.after(w_.by.between(micros(50), micros(3'000)), alive_, [this, s, who, key = yes->who] {
      if (s->places[key].who != who) return;
      watch_effects out;
      s->core.open(key, who->since(), now(), out);
      perform(s, std::move(out));
    });
  } else if (const auto* no = std::get_if<effect::refuse>(&e)) {
    if (auto* who = std::exchange(s->places[no->who], {}).who) who->refused();
  } else if (const auto* gone = std::get_if<effect::close_not_found>(&e)) {
    if (auto* who = std::exchange(s->places[gone->who], {}).who) who->not_found();
  }
}

void simulation::gateway::ask_snapshot(const watched_ptr& s) {
  s->snapshot_asked = true;
  auto got = std::make_shared<std::optional<session_reading>>();
  w_.read(
      alive_,
      [this, s, got](bool answered) {
        s->snapshot_asked = false;
        watch_effects out;
        s->core.snapshot(answered ? std::move(*got) : std::nullopt, now(), out);
        perform(s, std::move(out));
      },
      [this, s, got] { *got = seen(w_.db.snapshot(s->session)); });
}

void simulation::gateway::ask_range(const watched_ptr& s, const effect::ask_range& ask) {
  auto got = std::make_shared<session_reading>();
  w_.read(
      alive_,
      [this, s, got, ask](bool answered) {
        watch_effects out;
        if (!answered || !got->found) {
          s->core.range(ask.ticket, std::nullopt, true, now(), out);
        } else {
          auto events = lines_of(got->body);
          for (auto& e : events) e.at = seen(e.at);
          s->core.range(ask.ticket, std::move(events), got->known_position, now(), out);
        }
        perform(s, std::move(out));
      },
      [this, s, got, ask] {
        auto since = ask.missing.since;
        if (w_.planted(plant::epoch_ignored)) since.epoch = w_.db.epoch();
        *got = seen(w_.db.events_after(s->session, since, ask.missing.to - since.seq));
      });
}

void simulation::gateway::ask_resume(const watched_ptr& s, const effect::ask_resume& ask) {
  auto got = std::make_shared<session_reading>();
  w_.read(
      alive_,
      [this, s, got, ask](bool answered) {
        std::optional<resumption> r;
        if (answered && got->found) r = {lines_of(got->body), got->head, got->known_position, got->complete};
        watch_effects out;
        s->core.resumed(ask.ticket, std::move(r), now(), out);
        perform(s, std::move(out));
      },
      [this, s, got, ask] { *got = seen(w_.db.events_after(s->session, ask.since, watch::resume_events_max)); });
}

void simulation::gateway::check_heads(std::vector<session_id> sessions) {
  auto held = std::make_shared<std::map<session_id, position>>();
  for (const auto& id : sessions) {
    if (const auto s = sessions_.find(id); s != sessions_.end()) (*held)[id] = s->second->core.held();
  }
  auto got = std::make_shared<std::vector<head_reading>>();
  w_.read(
      alive_,
      [this, held, got, asked_at = now()](bool answered) {
        if (!answered) return;
        for (auto& one : *got) {
          const auto s = sessions_.find(one.session);
          if (s == sessions_.end()) continue;
          one.head = seen(one.head);
          watch_effects out;
          const auto kept = s->second;
          kept->core.head((*held)[one.session], one, asked_at, now(), out);
          perform(kept, std::move(out));
        }
      },
      [this, got, sessions] {
        for (const auto& id : sessions) got->push_back(w_.db.head(id));
      });
}

}  // namespace throughline::simulation
