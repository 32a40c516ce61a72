#include "common/io/nats/link_state.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "common/base/ulid.hpp"

namespace throughline::io::detail {
namespace {

// Replies wait for nothing but their callback; the bound is that of requests under way.
constexpr pending_limits inbox_limits{.messages = 1u << 20, .bytes = join_bytes_max};

bool is_line(const std::string& text) {
  return text.find_first_of("\r\n") == std::string::npos;
}

}  // namespace

class link_state::inbox : public inbound {
 public:
  explicit inbox(std::weak_ptr<link_state> link) : link_(std::move(link)) {}
  void receive(message m, bool no_responders) override {
    if (const auto link = link_.lock()) link->replied(number, std::move(m), no_responders);
  }

 private:
  std::weak_ptr<link_state> link_;
};

link_state::link_state(nats_settings settings)
    : delivery_(settings.wake),
      settings_(std::move(settings)),
      split_prefix_(fmt::format("{:016x}", system_entropy())) {}

std::shared_ptr<link_state> link_state::make(nats_settings settings) {
  std::shared_ptr<link_state> link(new link_state(std::move(settings)));
  link->make_clients();
  link->timer_ = std::thread([state = link.get()] { state->run_timer(); });  // joined by `stop`
  return link;
}

void link_state::make_clients() {
  const nats_client::listener tell_link{[weak = weak_from_this()](std::uint64_t connection) {
                                          if (const auto link = weak.lock()) link->connection_lost(connection);
                                        },
                                        [weak = weak_from_this()](std::uint64_t subscription) {
                                          if (const auto link = weak.lock()) link->note_dropping(subscription);
                                        }};
  talk_ = std::make_shared<nats_client>(settings_, true, tell_link);
  bulk_ = std::make_shared<nats_client>(settings_, false, tell_link);
  inbox_ = std::make_shared<inbox>(weak_from_this());
  inbox_->number = inbounds().add(inbox_);
}

void link_state::start() {
  keeper_ = std::thread([this] { keep(); });
}

void link_state::connect_no_more() {
  talk_->connect_no_more();
  bulk_->connect_no_more();
}

void link_state::stop(std::chrono::milliseconds flush) {
  {
    const std::scoped_lock lock(keeper_guard_);
    if (stopping_) return;
    stopping_ = true;
    announced_ = false;
  }
  connect_no_more();
  keeper_wanted_.notify_all();
  if (keeper_.joinable()) keeper_.join();
  const auto until = clock::now() + flush;
  bulk_->close(flush);
  talk_->close(std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()));
  inbounds().remove(inbox_->number);

  std::vector<std::shared_ptr<subscription_state>> subscriptions;
  {
    const std::scoped_lock lock(subscriptions_guard_);
    for (const auto& [number, weak] : subscriptions_) {
      if (auto each = weak.lock()) subscriptions.push_back(std::move(each));
    }
  }
  for (const auto& each : subscriptions) each->end();
  for (const auto& each : requests_->take_all()) each->end();
  {
    const std::scoped_lock lock(timer_guard_);
    timer_stopping_ = true;
  }
  timer_wanted_.notify_all();
  timer_.join();
  delivery_.close();
}

std::uint64_t link_state::joins_dropped() const {
  const std::scoped_lock lock(joiner_guard_);
  return joiner_.dropped();
}

result<void> link_state::publish(const std::string& subject, const message_headers& headers, const std::string& body) {
  return send(*bulk_, subject, {}, headers, body);
}

result<void> link_state::respond(const message& to, const message_headers& headers, const std::string& body) {
  if (to.reply.empty()) return fail("no_reply_subject", "the message asks for no answer");
  return send(*talk_, to.reply, {}, headers, body);
}

result<void> link_state::send(nats_client& over, const std::string& subject, const std::string& reply,
                              const message_headers& headers, const std::string& body) {
  for (const auto& [name, value] : headers) {
    if (name.empty() || !is_line(name) || !is_line(value)) return fail("bad_header", name);
  }
  const auto size = wire_size(headers, body);
  const auto limit = split_limit(over.max_payload());
  if (size <= limit) {
    if (auto sent = over.send(subject, reply, headers, body); !sent) return std::unexpected(std::move(sent.error()));
    return {};
  }
  if (size > join_bytes_max) return fail("too_large", fmt::format("{} bytes, at most {}", size, join_bytes_max));
  const auto parts = split(headers, body, limit, fmt::format("{}-{}", split_prefix_, ++last_split_));
  if (parts.empty()) return fail("too_large", "headers too large, or too many parts");
  bool begun = false;
  for (const auto& part : parts) {
    if (auto sent = over.send(subject, reply, part.headers, part.body); !sent) {
      return begun ? fail("connection_lost", sent.error().message) : std::unexpected(std::move(sent.error()));
    }
    begun = true;
  }
  return {};
}

std::shared_ptr<subscription_state> link_state::subscribe(const std::string& subject, const std::string& queue,
                                                          nats_link::message_handler handler, pending_limits limits) {
  auto fresh = std::make_shared<subscription_state>(weak_from_this(), subject, queue, std::move(handler), limits);
  fresh->number = inbounds().add(fresh);
  const std::scoped_lock lock(subscriptions_guard_);
  subscriptions_.emplace(fresh->number, fresh);
  talk_->subscribe(*fresh, subject, queue, limits);
  return fresh;
}

/// It is not restored on the next connection, and no part of a message waits for another.
void link_state::forget(const subscription_state& which) {
  inbounds().remove(which.number);
  {
    const std::scoped_lock lock(subscriptions_guard_);
    subscriptions_.erase(which.number);
  }
  const std::scoped_lock lock(joiner_guard_);
  joiner_.forget(which.number);
}

void link_state::unsubscribe(subscription_state& which) {
  forget(which);
  talk_->unsubscribe(which.number);
}

void link_state::finish(const std::vector<std::shared_ptr<subscription_state>>& which,
                        std::chrono::milliseconds longest) {
  std::vector<std::uint64_t> numbers;
  {
    const std::scoped_lock lock(subscriptions_guard_);
    for (const auto& each : which) {
      numbers.push_back(each->number);
      subscriptions_.erase(each->number);
    }
  }
  talk_->finish(numbers, longest);
  for (const auto& each : which) {
    forget(*each);
    each->end();
  }
}

void link_state::restore_subscriptions() {
  talk_->subscribe(*inbox_, requests_->inbox() + ".*", {}, inbox_limits);
  // Held throughout, so that one that ends meanwhile is taken off the new connection, not put on it afterwards.
  const std::scoped_lock lock(subscriptions_guard_);
  for (const auto& [number, weak] : subscriptions_) {
    if (const auto each = weak.lock()) talk_->subscribe(*each, each->subject(), each->queue(), each->limits());
  }
}

std::uint64_t link_state::dropped(const subscription_state& which) const {
  return talk_->dropped(which.number) + which.dropped_waiting();
}

std::shared_ptr<request_state> link_state::request(const request_target& target, const message_headers& headers,
                                                   const std::string& body, std::chrono::milliseconds timeout,
                                                   nats_link::reply_callback callback) {
  const auto deadline = clock::now() + timeout;
  auto fresh = requests_->add(std::move(callback), deadline, talk_->connection());
  const bool whole = wire_size(headers, body) <= split_limit(max_payload());
  const auto& subject = whole || target.direct.empty() ? target.subject : target.direct;
  auto sent = send(*talk_, subject, requests_->reply_subject(*fresh), headers, body);
  if (sent) {
    wake_timer_by(deadline);
  } else if (requests_->remove(*fresh)) {
    post_event([fresh, why = std::move(sent.error())] { fresh->complete(std::unexpected(why)); });
  }
  return fresh;
}

void link_state::replied(std::uint64_t inbox, message m, bool no_responders) {
  if (joiner::is_part(m)) {
    // The parts of a reply that comes too late would only push out those of its repeat.
    if (!requests_->expects(m.subject)) return;
    auto whole = joined(inbox, std::move(m));
    if (!whole) return;
    m = std::move(*whole);
  }
  const auto to = requests_->take(m.subject);
  if (!to) return;  // overdue, cancelled, or answered before
  if (no_responders) {
    fail_requests({to}, "no_responders", "nobody listens");
  } else if (delivery_.batched()) {
    delivery_.post({nullptr, {}, [to, reply = std::move(m)]() mutable { to->complete(std::move(reply)); }});
  } else {
    to->complete(std::move(m));
  }
}

void link_state::arrived(std::shared_ptr<subscription_state> at, message m) {
  if (joiner::is_part(m)) {
    auto whole = joined(at->number, std::move(m));
    if (!whole) return;
    m = std::move(*whole);
  }
  if (!delivery_.batched()) {
    at->run(std::move(m));
  } else if (at->admit(m.body.size())) {
    delivery_.post({std::move(at), std::move(m), {}});
  } else {
    note_dropping(at->number);
  }
}

std::optional<message> link_state::joined(std::uint64_t receiver, message m) {
  const std::scoped_lock lock(joiner_guard_);
  return joiner_.add(receiver, std::move(m), clock::now());
}

}  // namespace throughline::io::detail
