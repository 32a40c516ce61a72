#include "services/agent-bridge/shell/renewer.hpp"

#include <utility>

#include "common/base/ulid.hpp"
#include "common/codec/requests.hpp"

namespace throughline::agent_bridge {
namespace {

using steady = std::chrono::steady_clock;

}  // namespace

renewer::renewer(io::event_loop& loop, owner_link& owner, probe& counts, tell said)
    : owner_(owner),
      counts_(counts),
      said_(std::move(said)),
      core_(codec::renew_attachments_max, system_entropy()),
      timer_(loop.context()),
      alive_(std::make_shared<const renewer*>(this)) {}

void renewer::renew(const attachment_identity& whose, bool wanted) {
  if (wanted) {
    core_.hold(whose.session, whose.attachment, steady::now());
  } else {
    core_.release(whose.session, whose.attachment);
  }
  arm();
}

void renewer::wire_restored() {
  core_.wire_restored(steady::now());
  go_on();
}

void renewer::go_on() {
  for (const auto& attempt : core_.due(steady::now())) ask(attempt);
  arm();
}

void renewer::ask(const renewals::attempt& what) {
  counts_.renewal_sent();
  asked_[what.shard] = owner_.ask(what.what, what.patience,
                                  [this, shard = what.shard](owner_link::outcome<codec::reply_message> answer) {
                                    answered(shard, std::move(answer));
                                  });
}

void renewer::answered(shard_number shard, owner_link::outcome<codec::reply_message> answer) {
  if (answer) {
    for (const auto& one : core_.answered(shard, answer->what, steady::now())) said_(one);
  } else {
    counts_.retried(answer.error());
    core_.unanswered(shard, answer.error(), steady::now());
  }
  go_on();
}

void renewer::arm() {
  const auto next = core_.next_wake();
  if (next == armed_) return;
  armed_ = next;
  timer_.cancel();
  if (!next) return;
  timer_.expires_at(*next);
  timer_.async_wait([this, alive = std::weak_ptr(alive_)](const boost::system::error_code& fault) {
    if (fault || alive.expired()) return;
    armed_.reset();
    go_on();
  });
}

}  // namespace throughline::agent_bridge
