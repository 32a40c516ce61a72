#include "services/gateway/shell/watched_session.hpp"

#include <utility>

#include "common/codec/event_headers.hpp"
#include "common/codec/parse.hpp"
#include "common/codec/subjects.hpp"
#include "common/ops/log.hpp"
#include "services/gateway/shell/event_lines.hpp"
#include "services/gateway/shell/steady.hpp"

namespace throughline::gateway {

namespace asio = boost::asio;

namespace {

constexpr millis read_budget{4'000};
/// Of a session's events on their way to the loop.
constexpr io::pending_limits event_limits{8'192, std::size_t{32} << 20};

codec::header_lookup headers_of(const io::message& m) {
  return [&m](const char* name) -> std::optional<std::string_view> {
    for (const auto& [key, value] : m.headers) {
      if (key == name) return value;
    }
    return std::nullopt;
  };
}

}  // namespace

watched_session::watched_session(session_id session, const surroundings& around)
    : session_(std::move(session)), around_(around) {}

void watched_session::subscribe() {
  events_ = around_.nats.subscribe(
      codec::event_subject(session_), "", [this](const io::message& m) { received(m); }, event_limits);
}

viewer_key watched_session::knock(viewer_sink& sink, const user_id& user, wire_version version) {
  watch_effects effects;
  const auto who = core_.knock(user, version, steady_now(), effects);
  if (places_.size() <= who) places_.resize(who + 1);
  places_[who] = {&sink, false};
  perform(std::move(effects));
  return who;
}

void watched_session::open(viewer_key who, std::optional<position> since) {
  watch_effects effects;
  core_.open(who, since, steady_now(), effects);
  perform(std::move(effects));
}

void watched_session::resync(viewer_key who) {
  watch_effects effects;
  core_.resync(who, steady_now(), effects);
  perform(std::move(effects));
}

void watched_session::leave(viewer_key who) {
  places_[who] = {};
  core_.leave(who);
  around_.changed(*this);
}

void watched_session::writable(viewer_key who) {
  places_[who].full = false;
  watch_effects effects;
  core_.writable(who, steady_now(), effects);
  perform(std::move(effects));
}

void watched_session::head(position held_when_asked, const head_reading& reading, millis asked_at) {
  watch_effects effects;
  core_.head(held_when_asked, reading, asked_at, steady_now(), effects);
  perform(std::move(effects));
}

void watched_session::time_passed() {
  watch_effects effects;
  core_.time_passed(steady_now(), effects);
  perform(std::move(effects));
}

void watched_session::received(const io::message& m) {
  const auto headers = codec::read_headers(headers_of(m));
  if (!headers) {
    around_.counts.bad_message();
    return;
  }
  watch_effects effects;
  if (codec::is_event(headers->kind)) {
    core_.event({.at = headers->at,
                 .kind = static_cast<event_kind>(headers->kind),
                 .interaction = headers->interaction,
                 .terminal = headers->terminal,
                 .body = std::make_shared<const std::string>(m.body)},
                steady_now(), effects);
  } else if (headers->kind == codec::message_kind::deleted) {
    core_.deleted(effects);
  } else if (const auto notice = codec::parse_access(m.body)) {
    core_.access_changed(notice->epoch, notice->access, effects);
  } else {
    around_.counts.bad_message();
  }
  perform(std::move(effects));
}

void watched_session::perform(watch_effects effects) {
  const auto self = shared_from_this();
  for (const auto& one : effects) {
    std::visit([this](const auto& e) { do_one(e); }, one);
  }
  around_.changed(*this);
}

void watched_session::do_one(const effect::ask_snapshot&) {
  around_.counts.snapshot_read();
  around_.loop.spawn(read_snapshot_now());
}

void watched_session::do_one(const effect::ask_range& ask) {
  around_.counts.range_read();
  around_.loop.spawn(read_range(ask));
}

void watched_session::do_one(const effect::ask_resume& ask) {
  around_.counts.range_read();
  around_.loop.spawn(read_missed(ask));
}

void watched_session::do_one(const effect::send_replay& e) {
  for (const auto who : e.to) {
    auto& to = places_[who];
    if (to.sink == nullptr || to.full) continue;
    if (const auto has = to.sink->take_replay(e.what, e.at)) overflowed(who, *has);
  }
  around_.counts.events_sent(static_cast<double>(e.to.size() * e.what.size()));
}

void watched_session::do_one(const effect::heartbeat& e) {
  for (const auto& [who, at] : e.to) {
    const auto& to = places_[who];
    if (to.sink != nullptr && !to.full) to.sink->heartbeat(at);
  }
}

void watched_session::overflowed(viewer_key who, position has) {
  places_[who].full = true;
  core_.overflowed(who, has);
  around_.counts.viewer_lagged();
}

void watched_session::do_one(const effect::admit& e) {
  places_[e.who].sink->admitted();
}

void watched_session::do_one(const effect::refuse& e) {
  std::exchange(places_[e.who], {}).sink->refused();
}

void watched_session::do_one(const effect::send_state& e) {
  for (const auto who : e.to) {
    auto& to = places_[who];
    if (to.sink == nullptr || to.full) continue;
    around_.counts.states_sent(1);
    if (const auto has = to.sink->take_state(*e.what, e.with_baseline)) overflowed(who, *has);
  }
}

void watched_session::do_one(const effect::send_event& e) {
  for (const auto who : e.to) {
    auto& to = places_[who];
    if (to.sink == nullptr || to.full) continue;
    if (const auto has = to.sink->take_event(e.what)) overflowed(who, *has);
  }
  around_.counts.events_sent(static_cast<double>(e.to.size()));
}

void watched_session::do_one(const effect::close_not_found& e) {
  if (auto* sink = std::exchange(places_[e.who], {}).sink) sink->not_found();
}

asio::awaitable<void> watched_session::read_snapshot_now() {
  const auto self = shared_from_this();
  const load_meter::state_asked counted(around_.load);
  auto got = co_await around_.state_sync.read_as<session_reading>(read_snapshot{session_}, read_budget);
  if (!got) ops::log::warn("snapshot_unavailable", {{"session", session_}, {"code", got.error().code}});
  watch_effects effects;
  core_.snapshot(got ? std::optional(std::move(*got)) : std::nullopt, steady_now(), effects);
  perform(std::move(effects));
}

asio::awaitable<void> watched_session::read_missed(effect::ask_resume ask) {
  const auto self = shared_from_this();
  read_events what{
      .session = session_, .since = ask.since, .limit = watch::resume_events_max, .bytes_max = watch::resume_bytes_max};
  const auto got = co_await around_.state_sync.read_as<session_reading>(std::move(what), read_budget);
  watch_effects effects;
  std::optional<resumption> answer;
  if (got && got->found) {
    answer = {.events = events_of_lines(got->body),
              .head = got->head,
              .known = got->known_position,
              .complete = got->complete};
  }
  core_.resumed(ask.ticket, std::move(answer), steady_now(), effects);
  perform(std::move(effects));
}

asio::awaitable<void> watched_session::read_range(effect::ask_range ask) {
  const auto self = shared_from_this();
  const auto since = ask.missing.since;
  read_events what{.session = session_, .since = since, .limit = ask.missing.to - since.seq};
  const auto got = co_await around_.state_sync.read_as<session_reading>(std::move(what), read_budget);
  watch_effects effects;
  const auto now = steady_now();
  if (!got || !got->found) {
    // A session that is gone is found out by the head check, which also says to whom.
    core_.range(ask.ticket, std::nullopt, true, now, effects);
  } else {
    core_.range(ask.ticket, events_of_lines(got->body), got->known_position, now, effects);
  }
  perform(std::move(effects));
}

}  // namespace throughline::gateway
