#pragma once
// All HTTP waiters for answers on this gateway (design 5.3.1): streams and blocking calls, their patience, and their
// end when a token ends or the gateway drains. Loop's thread.

#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include <boost/asio/awaitable.hpp>

#include "common/io/net/http.hpp"
#include "services/gateway/core/turn_patience.hpp"
#include "services/gateway/shell/answer_viewer.hpp"
#include "services/gateway/shell/watches.hpp"

namespace throughline::gateway {

class answers {
 public:
  /// `idle_max`: how long a waiter waits without a committed event. All of them outlive this.
  answers(io::event_loop& loop, watches& sessions, state_sync_link& state_sync, millis idle_max)
      : loop_(loop), sessions_(sessions), state_sync_(state_sync), idle_max_(idle_max) {}

  using joined = std::shared_ptr<answer_viewer>;
  /// A waiter that may watch. Errors: `not_found`, `busy`, `unavailable`, `shutting_down`.
  boost::asio::awaitable<result<joined>> join(identity who, session_id session, interaction_id id,
                                              std::optional<position> since);

  io::stream_response stream(joined from);
  /// The finished interaction. Errors: those of 5.3.1.
  boost::asio::awaitable<result<std::shared_ptr<const interaction>>> wait(joined from);

  void key_revoked(const std::string& key_hash);
  void add_keys(std::unordered_set<std::string>& to) const;
  std::size_t size() const { return waiting_.size(); }
  /// Ends those there are, spread over `spread`, so that their clients go on at another gateway: streams without an
  /// end, blocking calls with this error. Returns when all were told.
  boost::asio::awaitable<void> send_away(millis spread, error why);
  /// The same, and refuses new ones from now on.
  boost::asio::awaitable<void> drain(millis spread);

 private:
  boost::asio::awaitable<void> pump(joined from, std::shared_ptr<io::event_stream> to);
  /// Set when the stream ends before its answer.
  boost::asio::awaitable<std::optional<error>> serve(joined from, std::shared_ptr<io::event_stream> to);
  /// Into the stream, as soon as there is room; set when it ends before that.
  boost::asio::awaitable<std::optional<error>> put(io::event_stream& to, answer_viewer& from, turn_patience& patience,
                                                   std::shared_ptr<const std::string> text);
  /// Set when patience or the token has ended. What happened elsewhere in the tree renews patience.
  boost::asio::awaitable<std::optional<error>> given_up(const answer_viewer& from, turn_patience& patience);

  io::event_loop& loop_;
  watches& sessions_;
  state_sync_link& state_sync_;
  millis idle_max_;
  event_cutter cutter_;
  std::unordered_set<joined> waiting_;
  bool draining_ = false;
};

}  // namespace throughline::gateway
