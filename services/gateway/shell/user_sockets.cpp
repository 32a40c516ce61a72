#include "services/gateway/shell/user_sockets.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/ulid.hpp"
#include "common/codec/close_codes.hpp"
#include "common/codec/user_frames.hpp"
#include "common/ops/log.hpp"
#include "services/gateway/core/access.hpp"
#include "services/gateway/core/drain_pace.hpp"
#include "services/gateway/shell/failures.hpp"
#include "services/gateway/shell/steady.hpp"

namespace throughline::gateway {

namespace asio = boost::asio;

namespace {

constexpr millis knock_max{4'000};
constexpr millis sweep_every{1'000};
constexpr std::chrono::seconds stuck_max{30};
constexpr std::uint32_t stuck_after_ms = 1'000;
constexpr millis drain_grace_max{1'000};
/// Another gateway is there already.
constexpr millis drained_after{500};
constexpr const char* v2_protocol = "throughline.v2";

}  // namespace

std::unexpected<user_sockets::refusal> user_sockets::refused(error what, std::optional<millis> after) {
  return std::unexpected(refusal{std::move(what), after});
}

user_sockets::user_sockets(io::event_loop& loop, watches& sessions, identification& identify, user_commands& commands,
                           const probe& counts, load_meter& load, std::size_t frame_bytes_max)
    : loop_(loop),
      sessions_(sessions),
      identify_(identify),
      commands_(commands),
      counts_(counts),
      load_(load),
      frame_bytes_max_(frame_bytes_max) {
  loop_.spawn(sweep());
}

asio::awaitable<io::upgrade_result> user_sockets::upgrade(const io::http_request& request) {
  const bool is_v2 = io::offers_protocol(request.header("Sec-WebSocket-Protocol"), v2_protocol);
  const auto version = is_v2 ? wire_version::v2 : wire_version::v1;
  auto socket = co_await check(request, version);
  if (socket) co_return accept(std::move(*socket));
  counts_.upgrade_refused(status_of(socket.error().what));
  co_return refuse(socket.error(), version);
}

/// A browser cannot see why an upgrade was refused: a v2 client hears it as a close code.
io::upgrade_result user_sockets::refuse(const refusal& why, wire_version version) {
  const int status = status_of(why.what);
  const bool later = status == 429 || status == 503;
  const auto after = !later ? millis(0) : why.after ? *why.after : load_.come_back_after();
  if (version == wire_version::v1) return later ? failure_of(why.what, after) : failure_of(why.what);
  const auto code = static_cast<std::uint16_t>(4000 + status);
  const auto reason = later ? codec::close_reason(static_cast<std::uint32_t>(after.count())) : why.what.message;
  return io::accept_and_close{.subprotocol = v2_protocol, .code = code, .reason = reason};
}

asio::awaitable<user_sockets::checked> user_sockets::check(const io::http_request& request, wire_version version) {
  if (draining_) co_return refused(draining(), drained_after);
  auto who = co_await identify_.of_request(request, request_kind::socket);
  if (!who) co_return refused(who.error());
  const auto named = request.parameter("session_id");
  if (!named || named->empty()) co_return refused({"bad_request", "session_id is missing"});
  if (!is_session_id(*named)) co_return refused(not_visible().error());
  const session_id session{std::string(*named)};
  if (sessions_.is_cut_off()) co_return refused(cut_off());
  if (const auto after = load_.refuse(!sessions_.has_state(session))) co_return refused(overloaded(), after);

  const auto user = who->user;
  user_socket::wishes asked{.version = version};
  // A malformed position is one that is not known: the full state follows.
  if (const auto since = request.parameter("since"); since && version == wire_version::v2) {
    asked.since = parse_position(*since);
  }
  auto socket = std::make_shared<user_socket>(loop_, std::move(*who), sessions_.of(session), asked, commands_);
  const auto answer = co_await socket->knock(knock_max);
  if (answer == user_socket::verdict::refused) co_return refused(not_visible().error());
  if (answer == user_socket::verdict::unanswered) {
    co_return refused({"unavailable", "the session cannot be read at the moment: try again"});
  }
  // Those are sent away that were admitted before that began: whoever knocked meanwhile is not among them.
  if (draining_) co_return refused(draining(), drained_after);
  if (sessions_.is_cut_off()) co_return refused(cut_off());
  if (identify_.was_revoked(socket->who())) co_return refused({"unauthorized", "the key was revoked"});
  if (auto& open = per_user_[user]; open < per_user_max) {
    ++open;
    sockets_.insert(socket);
    counts_.socket_opened();
    co_return socket;
  }
  co_return refused({"too_many_sockets", "this user has too many sockets open"});
}

io::upgrade_result user_sockets::accept(std::shared_ptr<user_socket> socket) {
  io::accept_socket granted;
  if (socket->version() == wire_version::v2) granted.subprotocol = v2_protocol;
  granted.limits.message_bytes_max = frame_bytes_max_;
  granted.run = [this, socket](std::shared_ptr<io::websocket> open) -> asio::awaitable<void> {
    const auto kept = socket;
    const auto code = co_await kept->run(std::move(open));
    counts_.socket_ended(code);
    forget(kept);
  };
  granted.failed = [this, socket] {
    counts_.socket_ended(0);
    forget(socket);
  };
  return granted;
}

void user_sockets::forget(const std::shared_ptr<user_socket>& socket) {
  if (sockets_.erase(socket) == 0) return;
  const auto of = per_user_.find(socket->who().user);
  if (--of->second == 0) per_user_.erase(of);
}

asio::awaitable<void> user_sockets::sweep() {
  for (;;) {
    co_await io::sleep_for(sweep_every);
    const auto now = unix_now_s();
    const auto stuck_before = std::chrono::steady_clock::now() - stuck_max;
    const std::vector all(sockets_.begin(), sockets_.end());
    for (const auto& socket : all) {
      const auto expires = socket->who().expires_unix_s;
      if (expires && *expires <= now) {
        socket->close(codec::close_code::unauthorized, "the token has expired");
      } else if (const auto since = socket->stuck_since(); since && *since < stuck_before) {
        socket->close(codec::close_code::try_again_later, codec::close_reason(stuck_after_ms));
      }
    }
  }
}

void user_sockets::key_revoked(const std::string& key_hash) {
  const std::vector all(sockets_.begin(), sockets_.end());
  for (const auto& socket : all) {
    if (!key_hash.empty() && socket->who().key_hash == key_hash) {
      socket->close(codec::close_code::unauthorized, "the key was revoked");
    }
  }
}

void user_sockets::add_keys(std::unordered_set<std::string>& to) const {
  for (const auto& socket : sockets_) {
    if (!socket->who().key_hash.empty()) to.insert(socket->who().key_hash);
  }
}

asio::awaitable<void> user_sockets::drain(millis spread) {
  draining_ = true;
  return send_away(spread, "this gateway is shutting down");
}

asio::awaitable<void> user_sockets::send_away(millis spread, std::string reason) {
  std::vector all(sockets_.begin(), sockets_.end());
  if (all.empty()) co_return;
  ops::log::info("sockets_sent_away", {{"count", all.size()}});
  const drain_pace pace(all.size(), spread);
  // A v2 client goes by itself when it was told to; what is closed before it has gone, it hears as 1001.
  const auto grace = std::min(drain_grace_max, spread / 4);
  std::vector<std::pair<millis, std::weak_ptr<user_socket>>> ends;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool is_v2 = all[i]->version() == wire_version::v2;
    if (is_v2) all[i]->say(codec::encode_reconnect(static_cast<std::uint32_t>(pace.when(i).count())));
    ends.emplace_back(pace.when(i) + (is_v2 ? grace : millis(0)), all[i]);
  }
  all.clear();
  std::ranges::sort(ends, {}, [](const auto& one) { return one.first; });
  millis gone{0};
  for (const auto& [due, socket] : ends) {
    if (due > gone) {
      co_await io::sleep_for(due - gone);
      gone = due;
    }
    if (const auto there = socket.lock()) there->close(codec::close_code::going_away, reason);
  }
}

}  // namespace throughline::gateway
