#include "services/state-sync/shell/reader_pool.hpp"

#include <algorithm>
#include <utility>

#include "common/codec/requests.hpp"
#include "common/ops/log.hpp"
#include "services/state-sync/shell/connector.hpp"

namespace throughline::state_sync {
namespace {

constexpr std::size_t connections = 8;
constexpr inbox_bounds waiting_max{4096, std::size_t{64} << 20};
constexpr std::chrono::seconds idle_wait{1};
/// A read may take as long as its sender waits, within these: the sender of a large one waits longer each time.
constexpr std::chrono::milliseconds read_time_min{4000};
constexpr std::chrono::milliseconds read_time_max{30'000};
constexpr std::uint32_t full_after_ms = 250;
constexpr std::uint32_t failed_after_ms = 500;
/// A connection that failed to open is not tried again for so long.
constexpr std::chrono::milliseconds reconnect_pause{250};

}  // namespace

struct reader_pool::session {
  std::unique_ptr<io::database_connection> connection;
  std::unique_ptr<read_store> reads;
  std::chrono::steady_clock::time_point not_before{};

  void drop() {
    reads.reset();
    connection.reset();
  }
};

reader_pool::reader_pool(const io::database& database, io::nats_link& link, const probe& counts,
                         std::size_t snapshot_budget)
    : database_(database), link_(link), probe_(counts), snapshot_budget_(snapshot_budget), inbox_(waiting_max) {
  for (std::size_t i = 0; i < connections; ++i) threads_.emplace_back([this] { run(); });
}

reader_pool::~reader_pool() {
  stop();
}

void reader_pool::stop() {
  inbox_.close();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void reader_pool::offer(pending_read read) {
  const auto weight = read.from.body.size();
  if (!inbox_.put(read, weight)) put_off(read, full_after_ms);
}

void reader_pool::run() {
  session mine;
  while (!inbox_.drained()) {
    for (auto& read : inbox_.take({1, 1}, std::chrono::steady_clock::now() + idle_wait)) answer(mine, read);
    if (mine.connection && !mine.connection->usable()) mine.drop();  // an outdated server, also when nobody asks
  }
}

void reader_pool::answer(session& with, const pending_read& read) {
  const auto now = std::chrono::steady_clock::now();
  if (read.budget.count() > 0 && now - read.received >= read.budget) return;  // asked again, or given up
  if (!with.connection || !with.connection->usable()) {
    with.drop();
    if (now < with.not_before) return put_off(read, failed_after_ms);
    auto opened = connect(database_, io::connection_role::work);
    if (!opened) {
      with.not_before = std::chrono::steady_clock::now() + reconnect_pause;
      return put_off(read, failed_after_ms);
    }
    with.connection = std::move(opened->link);
    with.reads = std::make_unique<read_store>(*with.connection, snapshot_budget_);
  }
  try {
    read_outcome found;
    {
      const auto watched = with.connection->limit(std::clamp<millis>(read.budget, read_time_min, read_time_max));
      found = with.reads->answer(read.what);
    }
    const auto sent = link_.respond(read.from, {}, codec::encode(found.what, found.epoch));
    if (!sent && sent.error().code == "too_large") ops::log::warn("reading_too_large", {{"read", read.what.index()}});
    probe_.read_answered(std::chrono::steady_clock::now() - read.received);
  } catch (const std::exception& e) {
    ops::log::warn("read_failed", {{"why", io::to_text(io::classify(e))}, {"read", read.what.index()}});
    with.drop();
    put_off(read, failed_after_ms);
  }
}

void reader_pool::put_off(const pending_read& read, std::uint32_t after_ms) {
  probe_.read_put_off();
  (void)link_.respond(read.from, {}, codec::encode(reading(deferred{deferral::busy, after_ms}), 0));
}

}  // namespace throughline::state_sync
