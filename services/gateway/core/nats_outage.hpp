#pragma once
// When a gateway without NATS stops keeping those it serves: what they see grows older, and another gateway may have
// what this one has lost. Values only; `now` never jumps.

#include <optional>

#include "common/base/instant.hpp"

namespace throughline::gateway {

class nats_outage {
 public:
  /// A viewer is at most that far behind the database (design 7, G4). What is shorter, as a restart of NATS, ends no
  /// socket and no request.
  static constexpr millis longest{5'000};

  /// There is no connection yet.
  explicit nats_outage(millis now) : since_(now) {}

  void connected() {
    since_.reset();
    told_ = false;
  }
  void disconnected(millis now) {
    if (!since_) since_ = now;
  }

  /// Nothing can be shown or asked here, until NATS is back.
  bool cuts_off(millis now) const { return since_ && now - *since_ >= longest; }
  /// True once per outage: those that are here are to be sent away.
  bool take_cut(millis now) {
    if (told_ || !cuts_off(now)) return false;
    told_ = true;
    return true;
  }

 private:
  std::optional<millis> since_;
  bool told_ = false;
};

}  // namespace throughline::gateway
