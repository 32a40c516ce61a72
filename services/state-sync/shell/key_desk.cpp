#include "services/state-sync/shell/key_desk.hpp"

#include <string>
#include <utility>

#include "common/codec/requests.hpp"
#include "common/codec/subjects.hpp"
#include "common/ops/log.hpp"
#include "services/state-sync/shell/connector.hpp"
#include "services/state-sync/shell/store/epoch.hpp"

namespace throughline::state_sync {
namespace {

constexpr inbox_bounds waiting_max{256, std::size_t{1} << 20};
constexpr std::chrono::seconds idle_wait{1};
constexpr std::chrono::milliseconds decide_time_max{4000};
constexpr std::uint32_t full_after_ms = 250;
constexpr std::uint32_t failed_after_ms = 500;

}  // namespace

struct key_desk::session {
  std::unique_ptr<io::database_connection> connection;
  std::unique_ptr<key_store> keys;
  std::uint64_t epoch = 0;

  void drop() {
    keys.reset();
    connection.reset();
  }
};

key_desk::key_desk(const io::database& database, io::nats_link& link)
    : database_(database), link_(link), inbox_(waiting_max), thread_([this] { run(); }) {}

key_desk::~key_desk() {
  stop();
}

void key_desk::stop() {
  inbox_.close();
  if (thread_.joinable()) thread_.join();
}

void key_desk::offer(pending_key_request request) {
  const auto weight = std::exchange(request.from.body, {}).size();
  if (!inbox_.put(request, weight)) put_off(request, full_after_ms);
}

void key_desk::run() {
  session mine;
  while (!inbox_.drained()) {
    for (auto& one : inbox_.take({1, 1}, std::chrono::steady_clock::now() + idle_wait)) answer_to(mine, one);
    if (mine.connection && !mine.connection->usable()) mine.drop();  // an outdated server, also when nobody asks
  }
}

bool key_desk::connected(session& with) {
  if (with.connection && with.connection->usable()) return true;
  with.drop();
  auto opened = connect(database_, io::connection_role::work);
  if (!opened) return false;
  with.connection = std::move(opened->link);
  with.epoch = opened->epoch;
  with.keys = std::make_unique<key_store>(*with.connection, with.epoch);
  return true;
}

void key_desk::answer_to(session& with, const pending_key_request& request) {
  const auto now = std::chrono::steady_clock::now();
  if (request.budget.count() > 0 && now - request.received >= request.budget) return;  // asked again, or given up
  try {
    if (!connected(with)) return put_off(request, failed_after_ms);
    key_outcome found;
    {
      const auto watched = with.connection->limit(decide_time_max);
      found = with.keys->apply(request.what);
    }
    if (!found.revoked_hash.empty()) (void)link_.publish(std::string(codec::auth_subject), {}, found.revoked_hash);
    (void)link_.respond(request.from, {}, codec::encode(reply(std::move(found.said)), with.epoch));
  } catch (const epoch_changed& e) {
    ops::log::warn("key_request_failed", {{"why", "epoch_changed"}, {"found", e.found}});
    with.drop();
    put_off(request, failed_after_ms);
  } catch (const std::exception& e) {
    ops::log::warn("key_request_failed", {{"why", io::reason_of(e)}});
    with.drop();
    put_off(request, failed_after_ms);
  }
}

void key_desk::put_off(const pending_key_request& request, std::uint32_t after_ms) {
  (void)link_.respond(request.from, {}, codec::encode(reply(deferred{deferral::busy, after_ms}), 0));
}

}  // namespace throughline::state_sync
