#pragma once
// With a waker: what is to be called, collected by the threads that bring it and run by the one that drains. One wake
// per batch, since handing over each by itself costs a third more (measured with Asio: 0.97 against 1.28 M/s).

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "common/io/nats/message.hpp"

namespace throughline::io::detail {

class subscription_state;

class delivery {
 public:
  struct item {
    std::shared_ptr<subscription_state> to;  ///< gets `what`, which it admitted; otherwise `call` runs
    message what;
    std::function<void()> call;
  };

  explicit delivery(std::function<void()> wake) : wake_(std::move(wake)) {}

  bool batched() const { return wake_ != nullptr; }
  void post(item next);
  void drain();  ///< what a callback throws leaves it; the rest is run by the next one
  void close();  ///< drops what waits, takes no more

 private:
  static void run(item& next);
  void put_back(std::vector<item> rest);

  std::function<void()> wake_;
  std::mutex guard_;
  std::vector<item> waiting_;
  bool closed_ = false;
};

}  // namespace throughline::io::detail
