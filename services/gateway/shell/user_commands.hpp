#pragma once
// What a v2 user socket may say (design 5.4), answered after commit. Loop's thread.

#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "common/codec/user_frames.hpp"
#include "common/io/net/event_loop.hpp"
#include "services/gateway/shell/identification.hpp"
#include "services/gateway/shell/state_sync_link.hpp"

namespace throughline::gateway {

class user_socket;

class user_commands {
 public:
  /// Cancels under way per socket; a further one is answered `busy`.
  static constexpr unsigned cancels_max = 8;

  user_commands(io::event_loop& loop, state_sync_link& state_sync, identification& identify)
      : loop_(loop), state_sync_(state_sync), identify_(identify) {}

  /// Returns when the next frame may be read: prompts keep their order, a cancel does not hold up what follows.
  boost::asio::awaitable<void> take(std::shared_ptr<user_socket> from, std::string text);

 private:
  boost::asio::awaitable<void> prompt(std::shared_ptr<user_socket> from, codec::user::prompt frame);
  boost::asio::awaitable<void> cancel(std::shared_ptr<user_socket> from, codec::user::cancel frame);
  boost::asio::awaitable<void> token(std::shared_ptr<user_socket> from, codec::user::token frame);
  void answer_with(user_socket& to, const std::string& id, const result<answer>& said);

  io::event_loop& loop_;
  state_sync_link& state_sync_;
  identification& identify_;
};

}  // namespace throughline::gateway
