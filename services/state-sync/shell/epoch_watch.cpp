#include "services/state-sync/shell/epoch_watch.hpp"

#include <string>

#include "common/codec/broadcasts.hpp"
#include "common/codec/subjects.hpp"
#include "common/ops/log.hpp"
#include "services/state-sync/shell/store/epoch.hpp"

namespace throughline::state_sync {
namespace {

constexpr std::chrono::milliseconds tick{200};
constexpr std::chrono::seconds tell_interval{1};
constexpr std::chrono::seconds look_interval{5};

}  // namespace

epoch_watch::epoch_watch(const io::database& database, io::nats_link& link) : database_(database), link_(link) {}

epoch_watch::~epoch_watch() {
  stop();
}

void epoch_watch::start() {
  news_ = link_.subscribe(std::string(codec::epoch_subject), "", [this](const io::message& m) { heard(m); });
  next_look_ = clock::now() + look_interval;
  thread_ = std::thread([this] { run(); });
}

void epoch_watch::stop() {
  news_.reset();
  {
    const std::lock_guard hold(guard_);
    stopping_ = true;
    stop_asked_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void epoch_watch::heard(const io::message& m) {
  const auto epoch = codec::decode_epoch(m.body);
  const auto ours = database_.highest_epoch();
  if (!epoch || *epoch <= ours) return;
  ops::log::warn("higher_epoch_heard", {{"from", ours}, {"to", *epoch}});
  database_.saw_epoch(*epoch);
}

void epoch_watch::run() {
  std::unique_lock hold(guard_);
  while (!stop_asked_.wait_for(hold, tick, [this] { return stopping_; })) {
    hold.unlock();
    tell(clock::now());
    look_around(clock::now());
    hold.lock();
  }
}

void epoch_watch::tell(clock::time_point now) {
  const auto epoch = database_.highest_epoch();
  if (epoch == 0 || (epoch == told_ && now < next_told_)) return;
  if (link_.publish(std::string(codec::epoch_subject), {}, codec::encode_epoch(epoch))) told_ = epoch;
  next_told_ = now + tell_interval;
}

void epoch_watch::look_around(clock::time_point now) {
  if (now < next_look_ || !database_.has_several_hosts()) return;
  const auto before = database_.highest_epoch();
  database_.look_around(establish_epoch);
  const auto after = database_.highest_epoch();
  if (after > before) ops::log::warn("higher_epoch_found", {{"from", before}, {"to", after}});
  next_look_ = clock::now() + look_interval;
}

}  // namespace throughline::state_sync
