#pragma once
// One user socket (design 5.4): a viewer of one session, until somebody closes it. Loop's thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "common/io/net/event_loop.hpp"
#include "common/io/net/websocket.hpp"
#include "services/gateway/core/identity.hpp"
#include "services/gateway/core/owed_frames.hpp"
#include "services/gateway/shell/viewer_sink.hpp"
#include "services/gateway/shell/watched_session.hpp"

namespace throughline::gateway {

class user_commands;

class user_socket final : public viewer_sink, public std::enable_shared_from_this<user_socket> {
 public:
  enum class verdict { admitted, refused, unanswered };

  /// What the upgrade asked for.
  struct wishes {
    wire_version version = wire_version::v1;
    std::optional<position> since;  ///< v2
  };

  /// `commands` hears what a v2 client says; it outlives this.
  user_socket(io::event_loop& loop, identity who, std::shared_ptr<watched_session> session, wishes asked,
              user_commands& commands);
  ~user_socket() override;  ///< leaves

  /// Whether this user may watch the session; within `longest`.
  boost::asio::awaitable<verdict> knock(millis longest);
  /// Serves the open socket until it ends; gives the code it ended with.
  boost::asio::awaitable<std::uint16_t> run(std::shared_ptr<io::websocket> socket);

  const identity& who() const { return who_; }
  wire_version version() const { return asked_.version; }
  const session_id& session() const { return session_->session(); }
  /// A frame that is no event, in its turn; lost when the socket is closing.
  void say(std::string text);
  void resync();
  void renew(identity who) { who_ = std::move(who); }
  unsigned cancels = 0;  ///< under way, counted by `user_commands`
  /// Before the socket is open, it closes as soon as it is.
  void close(std::uint16_t code, std::string reason);
  /// When a queued byte was last taken, where bytes are queued.
  std::optional<std::chrono::steady_clock::time_point> stuck_since() const;

  void admitted() override;
  void refused() override;
  [[nodiscard]] std::optional<position> take_state(const full_state& state, bool with_baseline) override;
  [[nodiscard]] std::optional<position> take_event(const replay::live_event& event) override;
  [[nodiscard]] std::optional<position> take_replay(const std::vector<replay::live_event>& events,
                                                    position at) override;
  void heartbeat(position at) override;
  void not_found() override;

 private:
  struct closing {
    std::uint16_t code = 0;
    std::string reason;
  };

  /// Sends it now, or when there is room: what belongs together is not torn apart by the queue's bound.
  void queue(replay::shared_text text, bool is_answer = false);
  /// Until so few answers are owed that the client may say more, or the socket ends.
  boost::asio::awaitable<void> room_for_answers();
  void became_writable();
  void leave();

  identity who_;
  wishes asked_;
  user_commands& commands_;
  std::shared_ptr<watched_session> session_;
  io::notifier answered_;
  std::optional<verdict> answer_;
  std::optional<viewer_key> key_;
  std::shared_ptr<io::websocket> socket_;
  owed_frames owed_;  ///< what follows a full state or a position and found no room yet; bounded by what one of them
                      ///< brings, and by the bounds on answers
  std::shared_ptr<io::notifier> room_;
  std::optional<closing> closing_;  ///< the first close of ours
};

}  // namespace throughline::gateway
