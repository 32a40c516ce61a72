#include "common/io/nats/link_requests.hpp"

#include <charconv>

#include <fmt/format.h>

#include "common/base/ulid.hpp"

namespace throughline::io::detail {

void request_state::complete(result<message> outcome) {
  const std::scoped_lock lock(running_);
  if (done_) return;
  done_ = true;
  const auto callback = std::move(callback_);  // what it holds goes with the call, whoever still has the handle
  callback(std::move(outcome));
}

void request_state::end() {
  nats_link::reply_callback last;  // what it holds may end this request once more
  const std::scoped_lock lock(running_);
  done_ = true;
  last.swap(callback_);
}

void request_state::cancel() {
  if (const auto home = home_.lock()) home->remove(*this);
  end();
}

link_requests::link_requests() : inbox_(fmt::format("_INBOX.{:016x}{:016x}", system_entropy(), system_entropy())) {}

std::string link_requests::reply_subject(const request_state& of) const {
  return fmt::format("{}.{}", inbox_, of.token_);
}

link_requests::request link_requests::add(nats_link::reply_callback callback, clock::time_point deadline,
                                          std::uint64_t connection) {
  auto fresh = std::make_shared<request_state>(weak_from_this(), std::move(callback));
  const std::scoped_lock lock(guard_);
  fresh->token_ = ++last_token_;
  fresh->deadline_ = deadline;
  fresh->connection_ = connection;
  under_way_.emplace(fresh->token_, fresh);
  deadlines_.emplace(deadline, fresh->token_);
  return fresh;
}

std::optional<std::uint64_t> link_requests::token_in(std::string_view reply_subject) const {
  if (reply_subject.size() <= inbox_.size() + 1) return std::nullopt;
  const auto digits = reply_subject.substr(inbox_.size() + 1);
  std::uint64_t token = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), token);
  if (fault != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return token;
}

link_requests::request link_requests::take(std::string_view reply_subject) {
  const auto token = token_in(reply_subject);
  if (!token) return nullptr;
  const std::scoped_lock lock(guard_);
  return take_locked(*token);
}

bool link_requests::expects(std::string_view reply_subject) const {
  const auto token = token_in(reply_subject);
  if (!token) return false;
  const std::scoped_lock lock(guard_);
  return under_way_.contains(*token);
}

bool link_requests::remove(const request_state& which) {
  const std::scoped_lock lock(guard_);
  return take_locked(which.token_) != nullptr;
}

std::vector<link_requests::request> link_requests::take_overdue(clock::time_point now) {
  const std::scoped_lock lock(guard_);
  std::vector<request> overdue;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    overdue.push_back(take_locked(deadlines_.begin()->second));
  }
  return overdue;
}

std::vector<link_requests::request> link_requests::take_sent_on(std::uint64_t connection) {
  const std::scoped_lock lock(guard_);
  std::vector<request> lost;
  for (const auto& [token, each] : under_way_) {
    if (each->connection_ == connection) lost.push_back(each);
  }
  for (const auto& each : lost) take_locked(each->token_);
  return lost;
}

std::vector<link_requests::request> link_requests::take_all() {
  const std::scoped_lock lock(guard_);
  std::vector<request> all;
  all.reserve(under_way_.size());
  for (const auto& [token, each] : under_way_) all.push_back(each);
  under_way_.clear();
  deadlines_.clear();
  return all;
}

std::optional<link_requests::clock::time_point> link_requests::next_deadline() const {
  const std::scoped_lock lock(guard_);
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

link_requests::request link_requests::take_locked(std::uint64_t token) {
  const auto found = under_way_.find(token);
  if (found == under_way_.end()) return nullptr;
  auto taken = std::move(found->second);
  under_way_.erase(found);
  deadlines_.erase({taken->deadline_, token});
  return taken;
}

}  // namespace throughline::io::detail
