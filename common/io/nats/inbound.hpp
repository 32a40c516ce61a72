#pragma once
// What nats.c's callbacks find by number. They are given numbers, not pointers: nats.c may still call for a connection
// or subscription that is gone, and then finds nothing.

#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>

#include "common/io/nats/message.hpp"

namespace throughline::io::detail {

class inbound {
 public:
  virtual ~inbound() = default;
  /// On NATS's thread. `no_responders` is the server's answer to a request that nobody listens to.
  virtual void receive(message m, bool no_responders) = 0;

  std::uint64_t number = 0;  ///< its key in the directory, set once before it is subscribed
};

template <class T>
class directory {
 public:
  std::uint64_t add(std::weak_ptr<T> entry) {
    const std::scoped_lock lock(guard_);
    entries_.emplace(++last_, std::move(entry));
    return last_;
  }
  void remove(std::uint64_t number) {
    const std::scoped_lock lock(guard_);
    entries_.erase(number);
  }
  std::shared_ptr<T> find(std::uint64_t number) const {
    const std::shared_lock lock(guard_);
    const auto found = entries_.find(number);
    return found == entries_.end() ? nullptr : found->second.lock();
  }

 private:
  mutable std::shared_mutex guard_;
  std::unordered_map<std::uint64_t, std::weak_ptr<T>> entries_;
  std::uint64_t last_ = 0;
};

/// Never destroyed: nats.c's threads outlive `main`.
inline directory<inbound>& inbounds() {
  static auto& all = *new directory<inbound>;
  return all;
}

}  // namespace throughline::io::detail
