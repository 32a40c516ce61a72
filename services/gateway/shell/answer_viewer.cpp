#include "services/gateway/shell/answer_viewer.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/codec/parse.hpp"
#include "services/gateway/core/access.hpp"
#include "services/gateway/shell/event_lines.hpp"
#include "services/gateway/shell/steady.hpp"

namespace throughline::gateway {

namespace asio = boost::asio;

namespace {

constexpr millis knock_max{4'000};
constexpr millis read_budget{4'000};
/// What is read of the events before a resumed position: mostly one of them names the newest entry's length.
constexpr std::uint64_t first_look_back = 64;
constexpr std::size_t fold_bytes_max = std::size_t{8} << 20;
/// For all of them together. What is not known by then is not said: the patches are authoritative.
constexpr millis fold_patience{8'000};

error no_such_interaction() {
  return {"not_found", "There is no such interaction."};
}

}  // namespace

std::shared_ptr<const codec::answer_event> event_cutter::of(const replay::live_event& event) {
  if (body_ == event.body) return cut_;
  body_ = event.body;
  cut_.reset();
  if (auto cut = codec::cut_answer_event(event.kind, event.at, *event.body)) {
    cut->interaction = event.interaction;
    cut_ = std::make_shared<const codec::answer_event>(*std::move(cut));
  }
  return cut_;
}

answer_viewer::answer_viewer(event_cutter& cutter, state_sync_link& state_sync,
                             std::shared_ptr<watched_session> session, identity who, interaction_id id)
    : cutter_(cutter),
      state_sync_(state_sync),
      session_(std::move(session)),
      who_(std::move(who)),
      id_(std::move(id)),
      core_(id_),
      changed_(session_->context()) {}

answer_viewer::~answer_viewer() {
  leave();
}

void answer_viewer::leave() {
  if (const auto key = std::exchange(key_, std::nullopt)) session_->leave(*key);
}

asio::awaitable<result<void>> answer_viewer::begin(std::optional<position> since) {
  const auto key = session_->knock(*this, who_.user, wire_version::v2);
  if (!stopped_) key_ = key;
  if (!admitted_ && !stopped_) co_await changed_.wait_for(knock_max);
  if (stopped_) co_return std::unexpected(*stopped_);
  if (!admitted_) co_return fail("unavailable", "the session cannot be read at the moment: try again");
  auto found = co_await read();
  if (!found) co_return std::unexpected(found.error());
  found_ = *std::move(found);
  if (!since && found_.place.ended.seq != 0) {
    at_once_ = core_.restart(found_);
    leave();
    co_return result<void>();
  }
  if (since && since->seq <= found_.head.seq) {
    since_ = since;
    auto end = co_await text_end_at(*since);
    if (!end) co_return std::unexpected(end.error());
    end_there_ = *end;
  }
  if (stopped_) co_return std::unexpected(*stopped_);
  session_->open(*key_, since_);
  co_return result<void>();
}

asio::awaitable<result<answer_reading>> answer_viewer::read() {
  auto got = co_await state_sync_.read_as<session_reading>(read_interaction{.session = session(), .interaction = id_},
                                                           read_budget);
  if (!got) co_return std::unexpected(got.error());
  if (const auto may = judge(got->found ? &got->access : nullptr, who_.user, right::watch); !may) {
    co_return std::unexpected(may.error());
  }
  if (!got->inner) co_return std::unexpected(no_such_interaction());
  answer_reading out{.head = got->head, .record = nullptr, .place = *got->inner};
  if (got->inner_found) {
    auto record = codec::parse_interaction(got->body);
    if (!record) co_return fail("unavailable", "the interaction cannot be read");
    out.record = std::make_shared<const interaction>(*std::move(record));
  }
  co_return out;
}

/// A resumed stream goes on in the middle of a text whose length an append must meet.
asio::awaitable<result<text_end>> answer_viewer::text_end_at(position at) {
  const auto began = found_.place.began;
  if (began == 0 || at.seq < began) co_return text_end::none();
  const auto epoch = found_.head.epoch;
  if (at.seq - began > first_look_back) {
    auto end = co_await fold({epoch, at.seq - first_look_back}, at, text_end::unknown());
    if (!end || end->is_known()) co_return end;
  }
  co_return co_await fold({epoch, began - 1}, at, text_end::none());
}

asio::awaitable<result<text_end>> answer_viewer::fold(position from, position to, text_end start) {
  const auto until = steady_now() + fold_patience;
  while (from.seq < to.seq) {
    if (steady_now() >= until) co_return text_end::unknown();
    read_events what{.session = session(), .since = from, .limit = to.seq - from.seq, .bytes_max = fold_bytes_max};
    what.limit = std::min<std::uint64_t>(what.limit, watch::resume_events_max);
    const auto got = co_await state_sync_.read_as<session_reading>(std::move(what), read_budget);
    if (!got) co_return std::unexpected(got.error());
    const auto events = events_of_lines(got->body);
    if (events.empty()) co_return text_end::unknown();
    for (const auto& event : events) {
      if (event.interaction != id_ || event.kind != event_kind::interaction_patch) continue;
      if (const auto set = codec::parse_patch_event(*event.body)) start.take(*set);
    }
    from.seq = events.back().at.seq;
  }
  co_return start;
}

asio::awaitable<result<answer_chunks>> answer_viewer::next(std::chrono::steady_clock::duration longest) {
  if (!at_once_.empty()) co_return std::exchange(at_once_, {});
  if (kept_.empty() && !stopped_) co_await changed_.wait_for(longest);
  answer_chunks out;
  while (!kept_.empty() && !stopped_ && !core_.over()) {
    if (auto done = co_await take_kept(out); !done) co_return std::unexpected(done.error());
  }
  if (stopped_ && out.empty()) co_return std::unexpected(*stopped_);
  if (key_ && std::exchange(full_, false)) session_->writable(*key_);
  co_return out;
}

asio::awaitable<result<void>> answer_viewer::take_kept(answer_chunks& out) {
  const auto one = std::move(kept_.front());
  kept_.pop_front();
  co_return co_await take_one(one, out);
}

asio::awaitable<result<void>> answer_viewer::take_one(const kept& one, answer_chunks& out) {
  answer_chunks more;
  if (const auto* event = std::get_if<committed>(&one)) {
    kept_bytes_ -= event->bytes;
    more = core_.event(*event->what);
  } else if (std::holds_alternative<goes_on>(one)) {
    more = core_.resume(*since_, end_there_, found_);
  } else {
    auto found = co_await read();
    if (!found) co_return std::unexpected(found.error());
    more = core_.restart(*found);
  }
  std::ranges::move(more, std::back_inserter(out));
  co_return result<void>();
}

void answer_viewer::stop(error why) {
  if (!stopped_) stopped_ = std::move(why);
  changed_.notify();
}

void answer_viewer::send_away(error why) {
  sent_away_ = true;
  stop(std::move(why));
}

asio::awaitable<void> answer_viewer::woken(std::chrono::steady_clock::duration longest) {
  co_await changed_.wait_for(longest);
}

void answer_viewer::admitted() {
  admitted_ = true;
  changed_.notify();
}

void answer_viewer::refused() {
  key_.reset();
  stop(not_visible().error());
}

void answer_viewer::not_found() {
  key_.reset();
  stop(not_visible().error());
}

/// The body is not looked into: the interaction is read by itself, in full, whatever its age.
std::optional<position> answer_viewer::take_state(const full_state&, bool) {
  kept_.clear();
  kept_bytes_ = 0;
  full_ = false;
  kept_.push_back(all_anew{});
  changed_.notify();
  return std::nullopt;
}

void answer_viewer::keep(const replay::live_event& event) {
  auto cut = cutter_.of(event);
  if (!cut) return kept_.push_back(all_anew{});  // never a silent hole
  kept_.push_back(committed{std::move(cut), event.body->size()});
  kept_bytes_ += event.body->size();
}

std::optional<position> answer_viewer::take_event(const replay::live_event& event) {
  if (kept_.size() >= kept_events_max || kept_bytes_ >= kept_bytes_max) {
    full_ = true;
    changed_.notify();
    return position{event.at.epoch, event.at.seq - 1};
  }
  keep(event);
  changed_.notify();
  return std::nullopt;
}

std::optional<position> answer_viewer::take_replay(const std::vector<replay::live_event>& events, position) {
  kept_.push_back(goes_on{});
  for (const auto& event : events) keep(event);
  changed_.notify();
  return std::nullopt;
}

}  // namespace throughline::gateway
