#pragma once
// A waiter for one answer, as a viewer of the session's watch (design 5.3.1). What the watch gives is kept, bounded,
// until the waiter asks what comes next. Loop's thread.

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "common/io/net/event_loop.hpp"
#include "services/gateway/core/followed_answer.hpp"
#include "services/gateway/core/identity.hpp"
#include "services/gateway/shell/state_sync_link.hpp"
#include "services/gateway/shell/viewer_sink.hpp"
#include "services/gateway/shell/watched_session.hpp"

namespace throughline::gateway {

/// Cuts each event once for all waiters of its session: they get it one after the other.
class event_cutter {
 public:
  std::shared_ptr<const codec::answer_event> of(const replay::live_event& event);

 private:
  replay::shared_text body_;
  std::shared_ptr<const codec::answer_event> cut_;
};

class answer_viewer final : public viewer_sink, public std::enable_shared_from_this<answer_viewer> {
 public:
  /// Of what waits to be taken; above it the watch is told, and goes on from there later.
  static constexpr std::size_t kept_events_max = 256;
  static constexpr std::size_t kept_bytes_max = std::size_t{1} << 20;

  answer_viewer(event_cutter& cutter, state_sync_link& state_sync, std::shared_ptr<watched_session> session,
                identity who, interaction_id id);
  ~answer_viewer() override;  ///< leaves

  /// Joins, and goes on after `since` where that can be done. Errors: `not_found`, `busy`, `unavailable`.
  boost::asio::awaitable<result<void>> begin(std::optional<position> since);
  /// The chunks that came, in order; none when nothing came within `longest`. Errors: `not_found` (gone, or no longer
  /// visible), `unauthorized`, `shutting_down`, `unavailable`.
  boost::asio::awaitable<result<answer_chunks>> next(std::chrono::steady_clock::duration longest);
  /// Whoever waits in `next` gets this, now and from now on.
  void stop(error why);
  /// The same, for a client that goes on at another gateway.
  void send_away(error why);
  bool sent_away() const { return sent_away_; }
  const std::optional<error>& stopped() const { return stopped_; }
  /// Ends a wait: in `next`, or in `woken`, which is for who serves the client and waits for that.
  void wake() { changed_.notify(); }
  boost::asio::awaitable<void> woken(std::chrono::steady_clock::duration longest);

  bool over() const { return core_.over(); }
  bool take_progress() { return core_.take_progress(); }
  const identity& who() const { return who_; }
  const session_id& session() const { return session_->session(); }
  const interaction_id& waits_for() const { return id_; }

  void admitted() override;
  void refused() override;
  [[nodiscard]] std::optional<position> take_state(const full_state& state, bool with_baseline) override;
  [[nodiscard]] std::optional<position> take_event(const replay::live_event& event) override;
  [[nodiscard]] std::optional<position> take_replay(const std::vector<replay::live_event>& events,
                                                    position at) override;
  void heartbeat(position) override {}
  void not_found() override;

 private:
  struct all_anew {};
  struct goes_on {};
  struct committed {
    std::shared_ptr<const codec::answer_event> what;
    std::size_t bytes = 0;
  };
  using kept = std::variant<all_anew, goes_on, committed>;

  void keep(const replay::live_event& event);
  boost::asio::awaitable<result<answer_reading>> read();
  boost::asio::awaitable<result<text_end>> text_end_at(position at);
  /// Events of this interaction after `from`, up to `to`.
  boost::asio::awaitable<result<text_end>> fold(position from, position to, text_end start);
  boost::asio::awaitable<result<void>> take_kept(answer_chunks& out);
  boost::asio::awaitable<result<void>> take_one(const kept& one, answer_chunks& out);
  void leave();

  event_cutter& cutter_;
  state_sync_link& state_sync_;
  std::shared_ptr<watched_session> session_;
  identity who_;
  interaction_id id_;
  followed_answer core_;
  io::notifier changed_;
  bool admitted_ = false;
  std::optional<error> stopped_;
  bool sent_away_ = false;
  std::optional<viewer_key> key_;
  std::deque<kept> kept_;
  std::size_t kept_bytes_ = 0;
  bool full_ = false;
  answer_reading found_;
  std::optional<position> since_;
  text_end end_there_ = text_end::unknown();
  answer_chunks at_once_;  ///< known before anything was watched
};

}  // namespace throughline::gateway
