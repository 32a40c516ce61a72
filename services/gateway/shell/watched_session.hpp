#pragma once
// One watched session: the core's watch, its subscription, and the sinks of its viewers. Loop's thread.

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "common/io/nats/nats_link.hpp"
#include "common/io/net/event_loop.hpp"
#include "services/gateway/core/watch.hpp"
#include "services/gateway/shell/load_meter.hpp"
#include "services/gateway/shell/probe.hpp"
#include "services/gateway/shell/state_sync_link.hpp"
#include "services/gateway/shell/viewer_sink.hpp"

namespace throughline::gateway {

class watched_session : public std::enable_shared_from_this<watched_session> {
 public:
  struct surroundings {
    io::event_loop& loop;
    io::nats_link& nats;
    state_sync_link& state_sync;
    const probe& counts;
    load_meter& load;
    std::function<void(watched_session&)> changed;  ///< a deadline may have come, or nobody watches any more
  };

  watched_session(session_id session, const surroundings& around);
  void subscribe();  ///< before the first knock

  /// `sink` outlives its stay: until `leave`, `refused` or `not_found`.
  viewer_key knock(viewer_sink& sink, const user_id& user, wire_version version);
  void open(viewer_key who, std::optional<position> since);
  void resync(viewer_key who);
  void leave(viewer_key who);
  void writable(viewer_key who);

  void head(position held_when_asked, const head_reading& reading, millis asked_at);
  void time_passed();

  const session_id& session() const { return session_; }
  boost::asio::io_context& context() const { return around_.loop.context(); }
  position held() const { return core_.held(); }
  /// A viewer more asks for no state of its own: there is one, or it is on its way.
  bool has_state() const { return held().epoch != 0 || core_.viewers() > 0; }
  std::optional<millis> next_deadline() const { return core_.next_deadline(); }
  bool is_idle() const { return core_.viewers() == 0; }
  bool gone() const { return core_.gone(); }

 private:
  void received(const io::message& m);
  void perform(watch_effects effects);
  void do_one(const effect::ask_snapshot&);
  void do_one(const effect::ask_range& ask);
  void do_one(const effect::ask_resume& ask);
  void do_one(const effect::admit& e);
  void do_one(const effect::refuse& e);
  void do_one(const effect::send_state& e);
  void do_one(const effect::send_event& e);
  void do_one(const effect::send_replay& e);
  void do_one(const effect::heartbeat& e);
  void do_one(const effect::close_not_found& e);
  boost::asio::awaitable<void> read_snapshot_now();
  boost::asio::awaitable<void> read_range(effect::ask_range ask);
  boost::asio::awaitable<void> read_missed(effect::ask_resume ask);
  void overflowed(viewer_key who, position has);

  struct place {
    viewer_sink* sink = nullptr;
    bool full = false;
  };

  session_id session_;
  surroundings around_;
  watch core_;
  std::vector<place> places_;  ///< by viewer_key
  io::subscription events_;
};

}  // namespace throughline::gateway
