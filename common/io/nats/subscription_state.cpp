#include "common/io/nats/subscription_state.hpp"

#include "common/io/nats/link_state.hpp"

namespace throughline::io::detail {

void subscription_state::receive(message m, bool) {
  if (const auto link = link_.lock()) link->arrived(shared_from_this(), std::move(m));
}

bool subscription_state::admit(std::size_t bytes) {
  // Only NATS's delivery thread admits, so what was read can only have become less.
  if (waiting_messages_ >= limits_.messages || waiting_bytes_ + bytes > limits_.bytes) {
    ++dropped_;
    return false;
  }
  ++waiting_messages_;
  waiting_bytes_ += bytes;
  return true;
}

void subscription_state::run_admitted(message m) {
  waiting_messages_ -= 1;
  waiting_bytes_ -= m.body.size();
  run(std::move(m));
}

void subscription_state::run(message m) {
  const std::scoped_lock lock(running_);
  if (!ended_) handler_(std::move(m));
}

void subscription_state::end() {
  const std::scoped_lock lock(running_);
  ended_ = true;
}

void subscription_state::unsubscribe() {
  if (const auto link = link_.lock()) link->unsubscribe(*this);
  end();
}

std::uint64_t subscription_state::dropped() const {
  const auto link = link_.lock();
  return link ? link->dropped(*this) : dropped_.load();
}

}  // namespace throughline::io::detail
