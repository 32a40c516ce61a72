#include "services/gateway/shell/user_socket.hpp"

#include <utility>

#include "common/codec/close_codes.hpp"
#include "common/codec/user_frames.hpp"
#include "services/gateway/shell/user_commands.hpp"

namespace throughline::gateway {

namespace asio = boost::asio;

user_socket::user_socket(io::event_loop& loop, identity who, std::shared_ptr<watched_session> session, wishes asked,
                         user_commands& commands)
    : who_(std::move(who)),
      asked_(asked),
      commands_(commands),
      session_(std::move(session)),
      answered_(loop.context()),
      room_(std::make_shared<io::notifier>(loop.context())) {}

user_socket::~user_socket() {
  leave();
}

void user_socket::leave() {
  if (const auto key = std::exchange(key_, std::nullopt)) session_->leave(*key);
}

asio::awaitable<user_socket::verdict> user_socket::knock(millis longest) {
  const auto key = session_->knock(*this, who_.user, asked_.version);
  if (answer_ != verdict::refused) key_ = key;
  if (!answer_) co_await answered_.wait_for(longest);
  co_return answer_.value_or(verdict::unanswered);
}

void user_socket::admitted() {
  answer_ = verdict::admitted;
  answered_.notify();
}

void user_socket::refused() {
  key_.reset();
  answer_ = verdict::refused;
  answered_.notify();
}

asio::awaitable<std::uint16_t> user_socket::run(std::shared_ptr<io::websocket> socket) {
  socket_ = std::move(socket);
  socket_->on_writable([this] { became_writable(); });
  socket_->on_ended([room = room_](io::socket_end) { room->notify(); });
  if (closing_) {
    socket_->close(closing_->code, closing_->reason);
  } else {
    session_->open(*key_, asked_.since);
  }
  std::uint16_t code = 0;
  for (;;) {
    co_await room_for_answers();
    auto frame = co_await socket_->read();
    if (!frame) {
      code = frame.error().code;
      break;
    }
    // There is nothing a v1 client could say: its frames are read for their bounds and as signs of life.
    if (asked_.version == wire_version::v2) co_await commands_.take(shared_from_this(), std::move(frame->data));
  }
  socket_->on_writable({});
  leave();
  // Of a client that reads nothing any more, the close frame was never written.
  co_return closing_ ? closing_->code : code;
}

void user_socket::close(std::uint16_t code, std::string reason) {
  if (!closing_) closing_ = closing{code, reason};
  if (socket_ == nullptr) return;
  leave();
  socket_->close(code, std::move(reason));
  room_->notify();
}

std::optional<std::chrono::steady_clock::time_point> user_socket::stuck_since() const {
  if (socket_ == nullptr || socket_->closing() || socket_->queued_bytes() == 0) return std::nullopt;
  return socket_->last_write_progress();
}

asio::awaitable<void> user_socket::room_for_answers() {
  while (!owed_.may_read() && !socket_->closing()) co_await room_->wait();
}

void user_socket::queue(replay::shared_text text, bool is_answer) {
  if (owed_.empty() && socket_->send(text) != io::send_verdict::full) return;
  owed_.add(std::move(text), is_answer);
}

void user_socket::say(std::string text) {
  if (socket_ != nullptr && !socket_->closing()) queue(std::make_shared<const std::string>(std::move(text)), true);
}

void user_socket::resync() {
  if (key_) session_->resync(*key_);
}

std::optional<position> user_socket::take_state(const full_state& state, bool with_baseline) {
  if (!owed_.empty() || socket_->send(state.body) == io::send_verdict::full) return position{};
  if (with_baseline && state.baseline) queue(state.baseline);
  if (owed_.empty()) return std::nullopt;
  return state.head;
}

std::optional<position> user_socket::take_event(const replay::live_event& event) {
  if (owed_.empty() && socket_->send(event.body) != io::send_verdict::full) return std::nullopt;
  return position{event.at.epoch, event.at.seq - 1};
}

std::optional<position> user_socket::take_replay(const std::vector<replay::live_event>& events, position at) {
  for (const auto& event : events) queue(event.body);
  queue(std::make_shared<const std::string>(codec::encode_replay_complete(session(), at)));
  if (owed_.empty()) return std::nullopt;
  return at;
}

void user_socket::heartbeat(position at) {
  say(codec::encode_heartbeat(session(), at));
}

void user_socket::became_writable() {
  while (!owed_.empty()) {
    if (socket_->send(owed_.front()) == io::send_verdict::full) return room_->notify();
    owed_.remove_front();
  }
  room_->notify();
  if (key_) session_->writable(*key_);
}

void user_socket::not_found() {
  key_.reset();
  close(codec::close_code::not_found, "no such session");
}

}  // namespace throughline::gateway
