#include "services/agent-bridge/shell/agent_session.hpp"

#include "common/base/ulid.hpp"
#include "common/codec/agent_frames.hpp"
#include "common/ops/log.hpp"

namespace throughline::agent_bridge {
namespace {

using steady = std::chrono::steady_clock;
/// Orders that wait for an answer; the owner has few commands out at a time.
constexpr std::size_t orders_max = 1024;

std::string_view name_of(io::socket_end_reason why) {
  switch (why) {
    case io::socket_end_reason::closed_by_peer:
      return "closed_by_peer";
    case io::socket_end_reason::closed_by_us:
      return "closed_by_us";
    case io::socket_end_reason::too_big:
      return "too_big";
    case io::socket_end_reason::invalid_utf8:
      return "invalid_utf8";
    case io::socket_end_reason::protocol_error:
      return "protocol_error";
    case io::socket_end_reason::idle:
      return "idle";
    case io::socket_end_reason::lost:
      return "lost";
  }
  return "lost";
}

}  // namespace

agent_session::agent_session(environment with, attachment_identity who)
    : with_(std::move(with)),
      core_(std::move(who), outbox_limits{}, system_entropy()),
      timer_(with_.loop.context()),
      stirred_(with_.loop.context()) {
  with_.counts.attachments(1);
}

agent_session::~agent_session() {
  with_.counts.attachments(-1);
  with_.counts.outbox_bytes(-static_cast<std::ptrdiff_t>(accounted_bytes_));
}

void agent_session::attach_committed(std::uint64_t epoch, std::uint64_t agent_seq) {
  committed_ = true;
  ops::log::info("attached", {{"session", identity().session},
                              {"attachment", identity().attachment},
                              {"version", identity().instance ? 2 : 1},
                              {"agent_seq", agent_seq}});
  apply(input::attach_committed{epoch, agent_seq});
}

boost::asio::awaitable<void> agent_session::run(std::shared_ptr<io::websocket> socket) {
  const auto self = shared_from_this();
  socket_ = socket;
  with_.counts.socket_opened();
  socket->on_ended([self](io::socket_end how) { self->socket_ended(how); });
  if (!first_words_.empty()) send(std::exchange(first_words_, {}));
  for (auto& [command, text] : std::exchange(unwritten_, {})) write(command, text);
  if (close_on_open_) close(*close_on_open_);
  while (!core_.reading_is_over() && !socket_over_) {
    if (!core_.wants_frames()) {
      co_await stirred_.wait();
      continue;
    }
    const auto got = co_await socket->read();
    if (!got) break;
    take(*got);
  }
  while (!socket_over_) co_await stirred_.wait();
}

void agent_session::take(const io::socket_frame& frame) {
  if (core_.reading_is_over()) return;
  with_.counts.frame_read(frame.data.size());
  if (!frame.text) {
    with_.counts.frame_unreadable();
    return apply(input::bad_frame{"binary frames are not understood"});
  }
  auto decoded = codec::decode_agent_frame(frame.data, with_.entry_bytes_max);
  if (!decoded) {
    with_.counts.frame_unreadable();
    const auto number = identity().instance ? codec::agent_seq_of(frame.data) : std::nullopt;
    return apply(input::bad_frame{decoded.error().message, number});
  }
  if (auto* event = std::get_if<agent_event>(&decoded->what)) {
    return apply(input::frame_read{std::move(*event), decoded->seq});
  }
  with_.counts.event_unknown();
  apply(input::frame_ignored{decoded->seq});
}

void agent_session::socket_ended(io::socket_end how) {
  socket_over_ = true;
  with_.counts.socket_closed();
  ops::log::info("socket_ended", {{"session", identity().session},
                                  {"attachment", identity().attachment},
                                  {"why", name_of(how.why)},
                                  {"code", how.code}});
  apply(input::socket_ended{});
}

void agent_session::upgrade_failed() {
  socket_over_ = true;
  committed_ = true;
  settle_unwritten();
  apply(input::socket_ended{});
}

void agent_session::order(io::message asked, bridge_order what) {
  if (orders_.size() >= orders_max) return;  // unanswered: it is asked again
  const ticket number = ++last_ticket_;
  orders_.emplace(number, std::move(asked));
  apply(input::ordered{number, std::move(what)});
}

void agent_session::apply(attachment_input what) {
  const auto self = shared_from_this();
  auto effects = core_.apply(std::move(what), steady::now());
  note_renewal();
  for (auto& e : effects) {
    std::visit([this](auto& one) { perform(one); }, e);
  }
  account();
  stirred_.notify();
  arm();
}

void agent_session::perform(effect::ask_owner& e) {
  const auto started = steady::now();
  asked_[static_cast<std::size_t>(e.which)] = with_.owner.ask(
      e.request, e.patience,
      [weak = weak_from_this(), which = e.which, started](owner_link::outcome<codec::reply_message> answer) {
        const auto self = weak.lock();
        if (!self) return;
        if (!answer) {
          self->with_.counts.retried(answer.error());
          return self->apply(input::unanswered{which, answer.error()});
        }
        if (which == lane::frames) self->with_.counts.handed_over(steady::now() - started);
        self->apply(input::answered{which, std::move(answer->what)});
      });
}

void agent_session::perform(effect::resume& e) {
  first_words_ = codec::encode_resume(e.last);
}

void agent_session::perform(effect::acknowledge& e) {
  with_.counts.acknowledged();
  const auto settle = [weak = weak_from_this()](bool written) {
    if (const auto self = weak.lock()) self->apply(input::ack_settled{written});
  };
  const auto text = std::make_shared<const std::string>(codec::encode_agent_ack(e.agent_seq));
  if (!socket_ || socket_->send(text, settle) != io::send_verdict::queued) {
    with_.loop.post([settle] { settle(false); });
  }
}

void agent_session::perform(effect::write_command& e) {
  const auto text = std::make_shared<const std::string>(codec::encode_command(e.body));
  if (socket_) {
    write(e.command, text);
  } else {
    unwritten_.emplace_back(e.command, text);
  }
}

void agent_session::write(const command_id& command, const std::shared_ptr<const std::string>& text) {
  const auto settle = [weak = weak_from_this(), command](bool written) {
    if (const auto self = weak.lock()) self->apply(input::command_settled{command, written});
  };
  if (socket_->send(text, settle) != io::send_verdict::queued) {
    // Later, as with a write: never inside the effects of another input.
    with_.loop.post([settle] { settle(false); });
  }
}

void agent_session::settle_unwritten() {
  for (const auto& [command, text] : std::exchange(unwritten_, {})) apply(input::command_settled{command, false});
}

void agent_session::perform(effect::answer_order& e) {
  const auto at = orders_.find(e.asked);
  if (at == orders_.end()) return;
  with_.counts.order_answered(e.outcome);
  with_.owner.respond(at->second, e.outcome);
  orders_.erase(at);
}

void agent_session::perform(effect::complain& e) {
  send(codec::encode_agent_error(e.code, e.message));
}

/// An agent that does not read goes without.
void agent_session::send(std::string text) {
  if (socket_) (void)socket_->send(std::make_shared<const std::string>(std::move(text)));
}

void agent_session::perform(effect::close_socket& e) {
  if (socket_) {
    close(e);
  } else {
    close_on_open_ = e;
  }
}

void agent_session::close(const effect::close_socket& how) {
  how.hear_out ? socket_->close_and_hear(how.code, how.reason) : socket_->close(how.code, how.reason);
}

void agent_session::perform(effect::frames_skipped& e) {
  with_.counts.frames_skipped(e.count);
  ops::log::warn("frames_skipped",
                 {{"session", identity().session}, {"attachment", identity().attachment}, {"count", e.count}});
}

void agent_session::perform(effect::frame_repeated&) {
  with_.counts.frame_repeated();
}

void agent_session::perform(effect::frame_refused& e) {
  with_.counts.frame_refused();
  ops::log::warn(
      "frame_refused",
      {{"session", identity().session}, {"attachment", identity().attachment}, {"number", e.number}, {"code", e.code}});
}

void agent_session::perform(effect::finished& e) {
  with_.counts.frames_lost(e.frames_lost);
  ops::log::info("attachment_finished", {{"session", identity().session},
                                         {"attachment", identity().attachment},
                                         {"why", e.why},
                                         {"last_number", core_.kept().last_number()},
                                         {"frames_lost", e.frames_lost}});
  with_.on_finished(identity().attachment);
}

void agent_session::note_renewal() {
  if (renewed_ == core_.wants_renewal()) return;
  renewed_ = core_.wants_renewal();
  with_.on_renewal(identity(), renewed_);
}

void agent_session::account() {
  const auto bytes = core_.kept().bytes();
  with_.counts.outbox_bytes(static_cast<std::ptrdiff_t>(bytes) - static_cast<std::ptrdiff_t>(accounted_bytes_));
  accounted_bytes_ = bytes;
  with_.counts.frames_merged(core_.frames_merged() - accounted_merges_);
  accounted_merges_ = core_.frames_merged();
}

void agent_session::arm() {
  const auto next = core_.next_wake();
  if (!committed_ || next == armed_) return;
  armed_ = next;
  timer_.cancel();
  if (!next) return;
  timer_.expires_at(*next);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& fault) {
    const auto self = weak.lock();
    if (fault || !self) return;
    self->armed_.reset();
    self->apply(input::tick{});
  });
}

}  // namespace throughline::agent_bridge
