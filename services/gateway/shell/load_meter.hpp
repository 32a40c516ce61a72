#pragma once
// How loaded this gateway is, and who is turned away for it (core/admission.hpp). Loop's thread.

#include <cstddef>
#include <functional>
#include <optional>

#include <boost/asio/awaitable.hpp>

#include "common/io/net/event_loop.hpp"
#include "services/gateway/core/admission.hpp"
#include "services/gateway/shell/probe.hpp"

namespace throughline::gateway {

class load_meter {
 public:
  /// `connections` is asked when somebody knocks. All of them outlive this.
  load_meter(io::event_loop& loop, const probe& counts, std::size_t connections_max,
             std::function<std::size_t()> connections);

  /// How long to stay away, where this work is not taken now.
  std::optional<millis> refuse(bool asks_state);
  /// For who is refused because something he needs is not there at the moment.
  millis come_back_after();

  /// One full state is being asked for, as long as this lives.
  class state_asked {
   public:
    explicit state_asked(load_meter& of) : of_(of) { ++of_.states_asked_; }
    ~state_asked() { --of_.states_asked_; }
    state_asked(const state_asked&) = delete;
    state_asked& operator=(const state_asked&) = delete;

   private:
    load_meter& of_;
  };

 private:
  boost::asio::awaitable<void> measure();

  const probe& counts_;
  admission core_;
  std::function<std::size_t()> connections_;
  std::size_t states_asked_ = 0;
  millis lag_{0};
};

}  // namespace throughline::gateway
