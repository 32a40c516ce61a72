#include "common/io/nats/nats_link.hpp"

#include "common/io/nats/link_state.hpp"

namespace throughline::io {

subscription& subscription::operator=(subscription&& other) noexcept {
  if (this != &other) {
    reset();
    state_ = std::move(other.state_);
  }
  return *this;
}

subscription::~subscription() {
  reset();
}

void subscription::reset() {
  if (const auto last = std::exchange(state_, nullptr)) last->unsubscribe();
}

std::uint64_t subscription::dropped() const {
  return state_ ? state_->dropped() : 0;
}

request_handle& request_handle::operator=(request_handle&& other) noexcept {
  if (this != &other) {
    cancel();
    state_ = std::move(other.state_);
  }
  return *this;
}

request_handle::~request_handle() {
  cancel();
}

void request_handle::cancel() {
  if (const auto last = std::exchange(state_, nullptr)) last->cancel();
}

nats_link::nats_link(nats_settings settings) : state_(detail::link_state::make(std::move(settings))) {}

nats_link::~nats_link() {
  stop();
}

void nats_link::on_connected(std::function<void()> callback) {
  state_->tell.connected = std::move(callback);
}

void nats_link::on_disconnected(std::function<void()> callback) {
  state_->tell.disconnected = std::move(callback);
}

void nats_link::on_refused(std::function<void(const std::string&)> callback) {
  state_->tell.refused = std::move(callback);
}

void nats_link::on_dropped(std::function<void(const std::string&)> callback) {
  state_->tell.dropped = std::move(callback);
}

void nats_link::start() {
  state_->start();
}

void nats_link::connect_no_more() {
  state_->connect_no_more();
}

void nats_link::stop(std::chrono::milliseconds flush) {
  state_->stop(flush);
}

bool nats_link::connected() const {
  return state_->connected();
}

std::size_t nats_link::max_payload() const {
  return state_->max_payload();
}

std::uint64_t nats_link::joins_dropped() const {
  return state_->joins_dropped();
}

result<void> nats_link::publish(const std::string& subject, const message_headers& headers, const std::string& body) {
  return state_->publish(subject, headers, body);
}

subscription nats_link::subscribe(const std::string& subject, const std::string& queue, message_handler handler,
                                  pending_limits limits) {
  return subscription(state_->subscribe(subject, queue, std::move(handler), limits));
}

void nats_link::finish(std::vector<subscription> which, std::chrono::milliseconds longest) {
  std::vector<std::shared_ptr<detail::subscription_state>> ending;
  for (auto& each : which) {
    if (each) ending.push_back(std::exchange(each.state_, nullptr));
  }
  if (!ending.empty()) state_->finish(ending, longest);
}

request_handle nats_link::request(const request_target& target, const message_headers& headers, const std::string& body,
                                  std::chrono::milliseconds timeout, reply_callback callback) {
  return request_handle(state_->request(target, headers, body, timeout, std::move(callback)));
}

result<void> nats_link::respond(const message& to, const message_headers& headers, const std::string& body) {
  return state_->respond(to, headers, body);
}

void nats_link::drain() {
  state_->drain();
}

std::function<void()> nats_link::drainer() const {
  return [weak = std::weak_ptr(state_)] {
    if (const auto state = weak.lock()) state->drain();
  };
}

}  // namespace throughline::io
