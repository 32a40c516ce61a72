#include "tests/simulation/user_socket.hpp"

#include "common/codec/close_codes.hpp"
#include "common/codec/user_frames.hpp"
#include "tests/simulation/viewer.hpp"

namespace throughline::simulation {

using throughline::gateway::wire_version;

namespace {

constexpr micros stuck_max{30'000'000};
constexpr micros look_every{1'000'000};

}  // namespace

user_socket::user_socket(world& around, std::shared_ptr<gateway> at, viewer& page)
    : w_(around), at_(std::move(at)), page_(&page), session_(page.session()) {}

user_socket::~user_socket() {
  leave();
}

void user_socket::leave() {
  const auto seat = std::exchange(seat_, std::nullopt);
  if (seat && at_->alive()) at_->leave(*seat);
}

void user_socket::knock() {
  const auto version = page_->kind() == page::stock ? wire_version::v1 : wire_version::v2;
  const auto seat = at_->knock(*this, session_, page_->user(), version);
  if (!answered_no_) seat_ = seat;
}

/// The upgrade's answer comes first; then the socket is open.
void user_socket::admitted() {
  w_.loop.after(w_.by.between(micros(50), micros(3'000)), life_, [this] {
    if (!seat_ || !at_->alive()) return;
    progress_at_ = w_.loop.now();
    look_for_progress();
    at_->open(*seat_, page_ ? page_->upgraded() : std::nullopt);
  });
}

void user_socket::refused() {
  answered_no_ = true;
  seat_.reset();
  w_.loop.after(w_.by.between(micros(50), micros(3'000)), life_, [this] {
    if (page_) page_->closed(codec::close_code::not_found);
  });
}

void user_socket::not_found() {
  seat_.reset();
  close(codec::close_code::not_found);
}

void user_socket::gateway_died() {
  seat_.reset();
  queue_.clear();
  // The machine resets its connections at once, or has gone with the process and answers nothing.
  const auto patience = w_.stormy && w_.by.one_in(4) ? micros(20'000'000) : micros(300'000);
  w_.loop.after(w_.by.between(micros(0), patience), life_, [this] {
    if (page_) page_->closed(codec::close_code::going_away);
  });
}

/// What was queued is not waited for.
void user_socket::close(int code) {
  leave();
  queue_.clear();
  queue_bytes_ = 0;
  w_.loop.after(w_.by.between(micros(50), micros(3'000)), life_, [this, code] {
    if (page_) page_->closed(code);
  });
}

void user_socket::page_left(bool silently) {
  page_ = nullptr;
  if (!silently) leave();
}

void user_socket::resync() {
  if (seat_ && at_->alive()) at_->resync(*seat_);
}

bool user_socket::send(const replay::shared_text& text) {
  if (queue_.size() >= w_.bad.queue_frames_max || queue_bytes_ >= w_.bad.queue_bytes_max) {
    refused_ = true;
    was_full_ = true;
    return false;
  }
  if (queue_.empty()) progress_at_ = w_.loop.now();
  queue_.push_back(text);
  queue_bytes_ += text->size();
  carry();
  return true;
}

/// The network takes one frame after the other; a reader that stands still takes none for a while, or for ever.
void user_socket::carry() {
  if (carrying_ || queue_.empty() || !page_) return;
  carrying_ = true;
  auto takes = w_.by.between(micros(50), micros(2'000));
  if (w_.happens(w_.bad.slow_viewer)) {
    takes = w_.by.between(micros(10'000), w_.by.one_in(10) ? micros(40'000'000) : micros(4'000'000));
  }
  w_.loop.after(takes, life_, [this] {
    carrying_ = false;
    if (queue_.empty()) return;
    const auto text = queue_.front();
    queue_.pop_front();
    queue_bytes_ -= text->size();
    progress_at_ = w_.loop.now();
    const auto self = shared_from_this();
    if (page_) page_->take(*text);
    carry();
    if (queue_.empty() && std::exchange(refused_, false)) became_writable();
  });
}

void user_socket::became_writable() {
  while (!owed_.empty()) {
    if (!send(owed_.front())) return;
    owed_.remove_front();
  }
  if (seat_ && at_->alive()) at_->writable(*seat_);
}

/// Closed only after 30 s without progress (design 5.4).
void user_socket::look_for_progress() {
  w_.loop.after(look_every, life_, [this] {
    if (!seat_ || !at_->alive()) return;
    if (queue_.empty() || w_.loop.now() - progress_at_ < stuck_max) return look_for_progress();
    w_.trace("a page makes no progress");
    close(codec::close_code::try_again_later);
  });
}

void user_socket::queue(replay::shared_text text, bool is_answer) {
  if (owed_.empty() && send(text)) return;
  owed_.add(std::move(text), is_answer);
}

std::optional<position> user_socket::take_state(const throughline::gateway::full_state& s, bool with_baseline) {
  if (!owed_.empty() || !send(s.body)) return position{};
  if (with_baseline && s.baseline) queue(s.baseline);
  if (owed_.empty()) return std::nullopt;
  return s.head;
}

std::optional<position> user_socket::take_event(const replay::live_event& e) {
  if (owed_.empty() && send(e.body)) return std::nullopt;
  return position{e.at.epoch, e.at.seq - 1};
}

std::optional<position> user_socket::take_replay(const std::vector<replay::live_event>& events, position at) {
  for (const auto& e : events) queue(e.body);
  queue(std::make_shared<const std::string>(codec::encode_replay_complete(session_, at)));
  if (owed_.empty()) return std::nullopt;
  return at;
}

void user_socket::heartbeat(position at) {
  queue(std::make_shared<const std::string>(codec::encode_heartbeat(session_, at)), true);
}

}  // namespace throughline::simulation
