#pragma once
// Requests under way: one inbox for all of them, found again by the last token of the reply's subject.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/io/nats/nats_link.hpp"

namespace throughline::io::detail {

class link_requests;

class request_state {
 public:
  request_state(std::weak_ptr<link_requests> home, nats_link::reply_callback callback)
      : home_(std::move(home)), callback_(std::move(callback)) {}

  void complete(result<message> outcome);  ///< the first time only
  void end();                              ///< the callback does not run after this
  void cancel();                           ///< `end`, and no longer under way

 private:
  friend class link_requests;
  std::weak_ptr<link_requests> home_;
  nats_link::reply_callback callback_;
  std::uint64_t token_ = 0;
  std::chrono::steady_clock::time_point deadline_;
  std::optional<std::uint64_t> connection_;  // it went out on

  std::recursive_mutex running_;  // held while the callback runs; recursive, so that it may cancel itself
  bool done_ = false;
};

class link_requests : public std::enable_shared_from_this<link_requests> {
 public:
  using clock = std::chrono::steady_clock;
  using request = std::shared_ptr<request_state>;

  link_requests();

  const std::string& inbox() const { return inbox_; }  ///< `_INBOX.<chance>`; replies come to `<inbox>.<token>`
  std::string reply_subject(const request_state& of) const;

  /// `connection` is the one it is about to go out on.
  request add(nats_link::reply_callback callback, clock::time_point deadline, std::uint64_t connection);
  request take(std::string_view reply_subject);  ///< no longer under way; empty when it is not
  bool expects(std::string_view reply_subject) const;
  bool remove(const request_state& which);  ///< false when it is not under way
  std::vector<request> take_overdue(clock::time_point now);
  std::vector<request> take_sent_on(std::uint64_t connection);
  std::vector<request> take_all();
  std::optional<clock::time_point> next_deadline() const;

 private:
  std::optional<std::uint64_t> token_in(std::string_view reply_subject) const;
  request take_locked(std::uint64_t token);

  std::string inbox_;
  mutable std::mutex guard_;
  std::uint64_t last_token_ = 0;
  std::unordered_map<std::uint64_t, request> under_way_;
  std::set<std::pair<clock::time_point, std::uint64_t>> deadlines_;
};

}  // namespace throughline::io::detail
