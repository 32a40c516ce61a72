#include "tests/simulation/answer_stream.hpp"

#include <algorithm>
#include <utility>

#include "common/codec/parse.hpp"
#include "tests/simulation/follower.hpp"

namespace throughline::simulation {

using namespace throughline::gateway;

namespace {

constexpr micros knock_max{4'000'000};
constexpr std::uint64_t first_look_back = 64;

}  // namespace

answer_stream::answer_stream(world& around, std::shared_ptr<simulation::gateway> at, follower& client,
                             std::optional<position> since)
    : w_(around),
      at_(std::move(at)),
      client_(&client),
      session_(client.session()),
      id_(client.waits_for()),
      core_(id_),
      asked_since_(since) {}

answer_stream::~answer_stream() {
  leave();
}

void answer_stream::leave() {
  const auto seat = std::exchange(seat_, std::nullopt);
  if (seat && at_->alive()) at_->leave(*seat);
}

void answer_stream::begin() {
  const auto seat = at_->knock(*this, session_, client_->user(), wire_version::v2);
  if (!answered_no_) seat_ = seat;
  w_.loop.after(knock_max, life_, [this] {
    if (client_ && !admitted_ && !answered_no_) fail("unavailable");
  });
}

void answer_stream::client_left() {
  client_ = nullptr;
  leave();
  life_.reset();
}

void answer_stream::admitted() {
  admitted_ = true;
  w_.loop.after(micros(10), life_, [this] { read([this](answer_reading now) { found(std::move(now)); }); });
}

/// The interaction by itself, in full, whatever its age.
void answer_stream::read(std::function<void(answer_reading)> then) {
  const read_interaction what{.session = session_, .interaction = id_};
  at_->read(what, [self = std::weak_ptr(shared_from_this()), then](std::optional<session_reading> got) {
    const auto me = self.lock();
    if (!me || !me->client_) return;
    if (!got) return me->fail("unavailable");
    const bool may = got->found && right_of(got->access, me->client_->user()) >= right::watch;
    if (!may || !got->inner) return me->fail("not_found");
    answer_reading out{.head = got->head, .record = nullptr, .place = *got->inner};
    if (got->inner_found) {
      out.record = std::make_shared<const interaction>(codec::parse_interaction(got->body).value());
    }
    then(std::move(out));
  });
}

void answer_stream::found(answer_reading now) {
  found_ = std::move(now);
  if (!asked_since_ && found_.place.ended.seq != 0) {
    write(core_.restart(found_));
    return leave();
  }
  if (!asked_since_ || asked_since_->seq > found_.head.seq) return open();
  since_ = asked_since_;
  const auto began = found_.place.began;
  if (began == 0 || since_->seq < began) {
    end_there_ = text_end::none();
    return open();
  }
  const bool far = since_->seq - began > first_look_back;
  const auto from = far ? since_->seq - first_look_back : began - 1;
  find_text_end({found_.head.epoch, from}, far ? text_end::unknown() : text_end::none());
}

/// A resumed stream goes on in the middle of a text whose length an append must meet.
void answer_stream::find_text_end(position from, text_end start) {
  const read_events what{.session = session_, .since = from, .limit = since_->seq - from.seq};
  at_->read(what, [self = std::weak_ptr(shared_from_this()), from, start](std::optional<session_reading> got) {
    const auto me = self.lock();
    if (!me || !me->client_) return;
    if (!got) return me->fail("unavailable");
    auto end = start;
    const auto events = simulation::gateway::lines_of(got->body);
    if (events.empty() && from.seq < me->since_->seq) return me->open();
    for (const auto& e : events) {
      if (e.interaction != me->id_ || e.kind != event_kind::interaction_patch) continue;
      if (const auto set = codec::parse_patch_event(*e.body)) end.take(*set);
    }
    const auto began = me->found_.place.began;
    if (!end.is_known() && from.seq >= began) return me->find_text_end({from.epoch, began - 1}, text_end::none());
    me->end_there_ = end;
    me->open();
  });
}

void answer_stream::open() {
  if (seat_ && at_->alive()) at_->open(*seat_, since_);
}

std::optional<position> answer_stream::take_state(const full_state&, bool) {
  kept_.clear();
  full_ = false;
  kept_.push_back(all_anew{});
  pump();
  return std::nullopt;
}

void answer_stream::keep(const replay::live_event& e) {
  auto cut = codec::cut_answer_event(e.kind, e.at, *e.body);
  if (!cut) return kept_.push_back(all_anew{});
  cut->interaction = e.interaction;
  kept_.push_back(std::make_shared<const codec::answer_event>(*std::move(cut)));
}

std::optional<position> answer_stream::take_event(const replay::live_event& e) {
  if (kept_.size() >= w_.bad.queue_frames_max) {
    full_ = true;
    return position{e.at.epoch, e.at.seq - 1};
  }
  keep(e);
  pump();
  return std::nullopt;
}

std::optional<position> answer_stream::take_replay(const std::vector<replay::live_event>& events, position) {
  kept_.push_back(goes_on{});
  for (const auto& e : events) keep(e);
  pump();
  return std::nullopt;
}

/// One after the other, as the client takes what is written.
void answer_stream::pump() {
  if (busy_ || !client_) return;
  if (kept_.empty() || core_.over()) {
    if (seat_ && at_->alive() && std::exchange(full_, false)) at_->writable(*seat_);
    return;
  }
  busy_ = true;
  const auto one = std::move(kept_.front());
  kept_.pop_front();
  if (std::holds_alternative<all_anew>(one)) {
    return read([this](answer_reading now) { write(core_.restart(now)); });
  }
  if (const auto* event = std::get_if<std::shared_ptr<const codec::answer_event>>(&one)) {
    return write(core_.event(**event));
  }
  write(core_.resume(*since_, end_there_, found_));
}

void answer_stream::write(answer_chunks chunks) {
  busy_ = true;
  auto takes = chunks.empty() ? micros(1) : w_.by.between(micros(50), micros(2'000));
  if (w_.happens(w_.bad.slow_viewer)) takes = w_.by.between(micros(10'000), micros(4'000'000));
  w_.loop.after(takes, life_, [this, chunks = std::move(chunks)] {
    busy_ = false;
    const auto self = shared_from_this();
    for (const auto& c : chunks) {
      if (client_) client_->take(c);
    }
    pump();
  });
}

void answer_stream::fail(const std::string& code) {
  leave();
  busy_ = true;
  w_.loop.after(w_.by.between(micros(50), micros(2'000)), life_, [this, code] {
    if (client_) client_->stopped(code);
  });
}

void answer_stream::refused() {
  answered_no_ = true;
  seat_.reset();
  fail("not_found");
}

void answer_stream::not_found() {
  seat_.reset();
  fail("not_found");
}

void answer_stream::gateway_died() {
  seat_.reset();
  busy_ = true;
  const auto patience = w_.stormy && w_.by.one_in(4) ? micros(20'000'000) : micros(300'000);
  w_.loop.after(w_.by.between(micros(0), patience), life_, [this] {
    if (client_) client_->stopped("gone");
  });
}

}  // namespace throughline::simulation
