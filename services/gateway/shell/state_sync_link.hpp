#pragma once
// Asks state-sync over NATS, as often and as long as the core says (core/sending.hpp). Loop's thread.

#include <cstdint>
#include <functional>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "common/base/result.hpp"
#include "common/io/nats/nats_link.hpp"
#include "common/model/key_request.hpp"
#include "common/model/reply.hpp"
#include "common/model/request.hpp"
#include "services/gateway/core/nats_outage.hpp"
#include "services/gateway/core/sending.hpp"
#include "services/gateway/shell/probe.hpp"
#include "services/gateway/shell/steady.hpp"

namespace throughline::gateway {

class state_sync_link {
 public:
  /// All of them outlive this.
  state_sync_link(io::nats_link& nats, const nats_outage& outage, const probe& counts)
      : nats_(nats), outage_(outage), counts_(counts) {}

  /// Nothing can be asked until NATS is back: what is asked now is answered so at once, what is under way soon.
  bool is_cut_off() const { return outage_.cuts_off(steady_now()); }

  /// The owner's answer, 2xx or not; the caller's fingerprint is filled in. Errors: `not_accepted`, `outcome_unknown`,
  /// `too_large`.
  boost::asio::awaitable<result<answer>> change(session_request request, mutation_attempts::patience how_long);

  /// The same, for a user's keys.
  boost::asio::awaitable<result<answer>> change_key(key_request request);

  /// Never a `deferred`. Errors: `busy`, `unavailable`.
  boost::asio::awaitable<result<reading>> read(read_request request, millis budget);

  /// The same, of the one kind that the request's answer has.
  template <class Reading>
  boost::asio::awaitable<result<Reading>> read_as(read_request request, millis budget) {
    auto got = co_await read(std::move(request), budget);
    if (!got) co_return std::unexpected(got.error());
    if (auto* wanted = std::get_if<Reading>(&*got)) co_return std::move(*wanted);
    counts_.bad_message();
    co_return fail("unavailable", "the answer was not of the kind asked for");
  }

 private:
  struct attempt_result {
    attempt_outcome became = attempt_outcome::unanswered;
    millis after{0};
    bool too_large = false;
  };
  using encoder = std::function<std::string(millis budget)>;
  boost::asio::awaitable<result<answer>> insist(std::string subject, encoder message,
                                                mutation_attempts::patience how_long);
  attempt_result failed(const error& why) const;
  attempt_result deferral_of(const deferred& d) const;
  /// Of who decides on a further attempt: patience is over where none can be made.
  millis patience_now() const { return is_cut_off() ? millis::max() / 2 : steady_now(); }
  /// False: from a process that is behind an epoch already seen (design 3.4).
  bool is_current(std::uint64_t epoch);

  io::nats_link& nats_;
  const nats_outage& outage_;
  const probe& counts_;
  std::uint64_t epoch_ = 0;
};

}  // namespace throughline::gateway
