#include "services/gateway/shell/gateway_process.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "common/base/ulid.hpp"
#include "common/codec/broadcasts.hpp"
#include "common/codec/subjects.hpp"
#include "common/io/nats/nats_asio.hpp"
#include "common/io/net/event_loop.hpp"
#include "common/io/net/http_server.hpp"
#include "common/ops/health.hpp"
#include "common/ops/log.hpp"
#include "common/ops/metrics.hpp"
#include "common/ops/ops_server.hpp"
#include "services/gateway/core/drain_pace.hpp"
#include "services/gateway/core/nats_outage.hpp"
#include "services/gateway/shell/answers.hpp"
#include "services/gateway/shell/failures.hpp"
#include "services/gateway/shell/for_each.hpp"
#include "services/gateway/shell/front.hpp"

namespace throughline::gateway {

namespace asio = boost::asio;
namespace log = ops::log;

namespace {

constexpr millis spread_max{10'000};
/// Kept back of the drain for what cannot be waited for.
constexpr millis last_words{500};
/// An attempt to connect to NATS may take that long to end: none is begun in this time and the last words.
constexpr millis link_end{2'000};
/// How often it is looked at how long an outage of NATS has lasted, and what a drain has left.
constexpr millis look_every{50};
constexpr millis keys_checked_every{4'000};
constexpr std::size_t keys_asked_at_once = 16;
/// File descriptors kept back of connections: NATS, the operations port, the log.
constexpr std::size_t descriptors_kept = 128;

/// Members in order of making: each outlives those below it.
class process {
 public:
  process(const ops::settings& given, ops::shutdown_signal& stop)
      : given_(given), stop_(stop), nats_(io::make_nats_link(loop_.context(), nats_settings_of(given))) {}

  int run();

 private:
  static io::nats_settings nats_settings_of(const ops::settings& given) {
    return {.urls = fmt::format("{}", fmt::join(given.list("nats-url"), ",")),
            .creds_file = given.text("nats-creds"),
            .name = "gateway",
            .wake = {}};
  }
  void watch_nats();
  void key_revoked(const std::string& key_hash);
  asio::awaitable<void> watch_outage();
  asio::awaitable<void> check_keys();
  asio::awaitable<void> check_key(std::string hash);
  asio::awaitable<void> drain();
  asio::awaitable<bool> idle_in_time(std::chrono::steady_clock::time_point end);

  const ops::settings& given_;
  ops::shutdown_signal& stop_;
  ops::metrics_registry metrics_;
  ops::readiness ready_{"nats"};
  ops::ops_server ops_{ready_, metrics_};
  probe counts_{metrics_};
  id_source ids_{system_entropy()};
  io::event_loop loop_{[](std::string_view what) { log::error("task_failed", {{"what", what}}); }};
  std::unique_ptr<io::nats_link> nats_;
  nats_outage outage_{steady_now()};
  state_sync_link state_sync_{*nats_, outage_, counts_};
  identification identify_{jwt_verifier(given_.text("jwt-hs256-secret")), given_.list("allowed-origins"), state_sync_};
  std::size_t connections_max_ = io::raise_descriptor_limit(descriptors_kept);
  load_meter load_{loop_, counts_, connections_max_, [this] { return server_.connections(); }};
  watches watches_{loop_, *nats_, state_sync_, counts_, load_};
  user_commands commands_{loop_, state_sync_, identify_};
  user_sockets sockets_{loop_, watches_, identify_, commands_, counts_, load_, given_.size("max-frame")};
  answers answers_{loop_, watches_, state_sync_, given_.duration("turn-idle-timeout")};
  endpoints api_{state_sync_, answers_, ids_};
  std::shared_ptr<front> front_ = std::make_shared<front>(identify_, api_, sockets_, counts_, load_);
  io::http_server server_{loop_, front_, {.connections_max = connections_max_}};
  io::subscription revocations_;
};

void process::watch_nats() {
  nats_->on_connected([this] {
    log::info("nats_connected");
    ready_.met("nats");
    outage_.connected();
    watches_.reconnected();
  });
  nats_->on_disconnected([this] {
    log::warn("nats_disconnected");
    ready_.unmet("nats", "not connected");
    outage_.disconnected(steady_now());
  });
  nats_->on_refused([this](const std::string& why) {
    log::warn("nats_unreachable", {{"why", why}});
    ready_.unmet("nats", why);
  });
  nats_->on_dropped([this](const std::string& subject) {
    log::warn("messages_dropped", {{"subject", subject}});
    watches_.dropped(subject);
  });
  ready_.unmet("nats", "not connected");
  revocations_ = nats_->subscribe(std::string(codec::auth_subject), "", [this](const io::message& m) {
    if (const auto key_hash = codec::decode_revoked_key(m.body)) key_revoked(*key_hash);
  });
  nats_->start();
}

/// What is shown here grows old without a bound, and another gateway may have NATS (design 7): viewers and waiters go.
asio::awaitable<void> process::watch_outage() {
  for (;;) {
    co_await io::sleep_for(look_every);
    if (!outage_.take_cut(steady_now())) continue;
    log::warn("cut_off", {{"sockets", sockets_.size()}, {"waiters", answers_.size()}});
    const auto spread = drain_pace::shortest(sockets_.size() + answers_.size(), spread_max);
    loop_.spawn(answers_.send_away(spread, cut_off()));
    loop_.spawn(sockets_.send_away(spread, cut_off().message));
  }
}

void process::key_revoked(const std::string& key_hash) {
  identify_.key_revoked(key_hash);
  sockets_.key_revoked(key_hash);
  answers_.key_revoked(key_hash);
}

/// The broadcast of a revocation may be lost (G4): the keys in use are asked about now and then.
asio::awaitable<void> process::check_keys() {
  for (;;) {
    co_await io::sleep_for(keys_checked_every);
    std::unordered_set<std::string> in_use;
    sockets_.add_keys(in_use);
    answers_.add_keys(in_use);
    co_await for_each_at_most(loop_, keys_asked_at_once, std::vector<std::string>(in_use.begin(), in_use.end()),
                              [this](std::string hash) { return check_key(std::move(hash)); });
  }
}

asio::awaitable<void> process::check_key(std::string hash) {
  if (co_await identify_.key_is_gone(hash)) key_revoked(hash);
}

int process::run() {
  const auto ops_port = ops_.start(given_.address("ops-listen"));
  const auto& where = given_.address("listen");
  const auto port = ops_port ? server_.listen(where.host, where.port) : std::unexpected(ops_port.error());
  if (!port) {
    log::error(port.error().code, {{"message", port.error().message}});
    return 1;
  }
  log::info("listening", {{"port", *port}, {"ops_port", *ops_port}});
  watch_nats();
  loop_.spawn(watch_outage());
  loop_.spawn(check_keys());
  stop_.on_request([this] { loop_.post([this] { loop_.spawn(drain()); }); });
  loop_.run();
  stop_.on_request({});
  revocations_.reset();
  nats_->stop(millis(0));  // what was asked has been answered or given up: nothing is to be sent still
  ops_.stop();
  log::info("stopped");
  return 0;
}

asio::awaitable<bool> process::idle_in_time(std::chrono::steady_clock::time_point end) {
  const auto kept = std::min(last_words, given_.duration("drain-timeout") / 4);
  for (;;) {
    const auto left = std::chrono::duration_cast<millis>(end - kept - std::chrono::steady_clock::now());
    if (left < link_end) nats_->connect_no_more();
    if (co_await server_.wait_idle(std::clamp(left, millis(0), look_every))) co_return true;
    if (left <= millis(0)) co_return false;
  }
}

/// Stop taking, tell the sockets, finish what was taken (design 5.1, drain-timeout).
asio::awaitable<void> process::drain() {
  const auto whole = given_.duration("drain-timeout");
  const auto end = std::chrono::steady_clock::now() + whole;
  log::info("draining");
  ready_.unmet("drain", "draining");
  server_.stop_accepting();
  front_->drain();
  const auto spread = std::min(spread_max, whole / 2);
  loop_.spawn(answers_.drain(spread));
  co_await sockets_.drain(spread);
  if (!co_await idle_in_time(end)) log::warn("drain_cut", {{"open", server_.connections()}});
  server_.cut_all();
  co_await server_.wait_idle(std::min(last_words, whole / 4) / 2);
  loop_.stop();
}

}  // namespace

int run_gateway(const ops::settings& given, ops::shutdown_signal& stop) {
  stop.limit(given.duration("drain-timeout"));
  return std::make_unique<process>(given, stop)->run();
}

}  // namespace throughline::gateway
