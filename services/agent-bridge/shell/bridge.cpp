#include "services/agent-bridge/shell/bridge.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/codec/requests.hpp"
#include "common/codec/subjects.hpp"
#include "common/ops/log.hpp"
#include "services/agent-bridge/core/drain_pace.hpp"

namespace throughline::agent_bridge {
namespace {

constexpr std::string_view sync_path = "/api/v1/external-agents/sync";
/// From an upgrade request to its answer; agents come again by themselves (P-A12).
constexpr std::chrono::seconds upgrade_budget{5};
constexpr millis attach_timeout{2'000};
/// An agent that is one too many is told to come again after 1 s to so many, by chance.
constexpr std::uint64_t retry_spread_s = 4;
/// How often a bridge without NATS looks whom it has to send away.
constexpr millis outage_step{250};
constexpr std::chrono::seconds ping_every{20};  // design 5.5
constexpr std::chrono::seconds idle_max{45};
/// Commands waiting to be written to one agent.
constexpr std::size_t socket_queue_bytes_max = std::size_t{16} << 20;
constexpr std::size_t socket_queue_frames_max = 4096;

std::uint64_t unix_ms() {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
}

/// One more of something, for as long as it lives.
class counted {
 public:
  explicit counted(std::size_t& count) : count_(count) { ++count_; }
  ~counted() { --count_; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;

 private:
  std::size_t& count_;
};

io::http_response refused(const attach_refused& how) {
  auto response = io::http_response::failure(how.status, how.code, "the agent cannot attach to this session");
  if (how.retry_after_s > 0) response.headers.emplace_back("Retry-After", std::to_string(how.retry_after_s));
  return response;
}

}  // namespace

bridge::bridge(io::event_loop& loop, io::nats_link& link, probe& counts, bridge_settings settings)
    : loop_(loop),
      link_(link),
      counts_(counts),
      settings_(settings),
      owner_(link),
      door_(owner_, counts),
      renewer_(loop, owner_, counts, [this](const throughline::not_renewed& what) { not_renewed(what); }),
      ids_(system_entropy()),
      id_(make_id("brg_", unix_ms(), ids_)) {
  orders_ =
      link_.subscribe(codec::bridge_subject(id_), "", [this](io::message asked) { take_order(std::move(asked)); });
}

bridge::~bridge() = default;

boost::asio::awaitable<io::http_result> bridge::serve(io::http_request& request) {
  if (request.path != sync_path) co_return io::http_response::failure(404, "not_found", "there is nothing here");
  co_return io::http_response::failure(400, "bad_upgrade", "agents connect here with a WebSocket");
}

boost::asio::awaitable<io::upgrade_result> bridge::upgrade(io::http_request& request) {
  if (request.path != sync_path) co_return io::http_response::failure(404, "not_found", "there is nothing here");
  if (upgrades_under_way_ >= settings_.upgrades_max) {
    counts_.upgrade_answered(503);
    const auto after_s = 1 + static_cast<unsigned>(ids_.next() % retry_spread_s);
    co_return unavailable("too many agents are connecting at once", after_s);
  }
  const counted under_way(upgrades_under_way_);
  auto result = co_await admit_and_attach(request);
  const auto* response = std::get_if<io::http_response>(&result);
  counts_.upgrade_answered(response ? response->status : 101);
  co_return result;
}

boost::asio::awaitable<io::upgrade_result> bridge::admit_and_attach(io::http_request& request) {
  if (draining_) co_return unavailable("this server is going away");
  if (outage_.refuses(steady::now())) co_return unavailable("this server has lost its connection to the others");
  const auto deadline = steady::now() + upgrade_budget;
  auto admitted = co_await door_.admit(request, deadline);
  if (auto* response = std::get_if<io::http_response>(&admitted)) co_return std::move(*response);
  if (draining_) co_return unavailable("this server is going away");
  co_return co_await attach_session(std::move(std::get<admission>(admitted)), deadline);
}

boost::asio::awaitable<io::upgrade_result> bridge::attach_session(admission who, steady::time_point deadline) {
  const attachment_id attachment(make_id("att_", unix_ms(), ids_));
  const auto session = std::make_shared<agent_session>(
      agent_session::environment{loop_, owner_, counts_, settings_.entry_bytes_max,
                                 [this](const auto& whose, bool wanted) { renewer_.renew(whose, wanted); },
                                 [this](const attachment_id& ended) { sessions_.erase(ended); }},
      attachment_identity{who.session, attachment, id_, who.token_hash, who.instance});
  sessions_.emplace(attachment, session);
  const session_request request = attach{who.session, attachment, id_, who.token_hash, who.instance};
  bool may_be_attached = false;
  for (unsigned failures = 0;;) {
    const auto answer = co_await owner_.ask(request, attach_timeout);
    if (answer) {
      if (const auto* done = std::get_if<attached>(&answer->what)) co_return grant(session, answer->epoch, *done);
      if (const auto* refusal = std::get_if<attach_refused>(&answer->what)) {
        sessions_.erase(attachment);
        co_return refused(*refusal);
      }
    }
    const auto why = answer ? send_failure::unusable : answer.error();
    may_be_attached = may_be_attached || answer || may_have_happened(why);
    counts_.retried(why);
    const auto pause = retry_delay(why, ++failures, ids_.next());
    if (steady::now() + pause >= deadline) break;
    co_await io::sleep_for(pause);
  }
  if (may_be_attached) {
    session->upgrade_failed();  // detaches what may have been committed
  } else {
    sessions_.erase(attachment);
  }
  co_return unavailable("the session service does not answer");
}

io::upgrade_result bridge::grant(const std::shared_ptr<agent_session>& session, std::uint64_t epoch,
                                 const attached& how) {
  session->attach_committed(epoch, how.agent_seq);
  if (draining_) session->drain();
  return io::accept_socket{.subprotocol = session->identity().instance ? std::string(v2_protocol) : std::string(),
                           .limits = {.message_bytes_max = settings_.frame_bytes_max,
                                      .queue_bytes_max = socket_queue_bytes_max,
                                      .queue_frames_max = socket_queue_frames_max,
                                      .ping_every = ping_every,
                                      .idle_max = idle_max},
                           .run = [session](std::shared_ptr<io::websocket> socket) { return session->run(socket); },
                           .failed = [session] { session->upgrade_failed(); }};
}

void bridge::take_order(io::message asked) {
  auto order = codec::decode_order(asked.body);
  if (!order) {
    ops::log::error("order_unreadable", {{"why", order.error().message}});
    return;
  }
  if (!owner_.admit(order->epoch)) return;
  const auto& whose = std::visit([](const auto& one) -> const attachment_id& { return one.attachment; }, order->what);
  const auto at = sessions_.find(whose);
  if (at == sessions_.end()) {
    counts_.order_answered(order_outcome::unknown);
    return owner_.respond(asked, order_outcome::unknown);
  }
  const auto session = at->second;  // the order may end it
  session->order(std::move(asked), std::move(order->what));
}

std::vector<std::shared_ptr<agent_session>> bridge::all_sessions() const {
  std::vector<std::shared_ptr<agent_session>> all;
  for (const auto& [id, session] : sessions_) all.push_back(session);
  return all;
}

void bridge::not_renewed(const throughline::not_renewed& what) {
  const auto at = sessions_.find(what.attachment);
  if (at == sessions_.end()) return;
  const auto session = at->second;  // it may end by it
  session->not_renewed(what.why);
}

void bridge::wire_lost() {
  outage_.disconnected(steady::now());
  if (!std::exchange(outlasting_, true)) loop_.spawn(outlast_outage());
}

boost::asio::awaitable<void> bridge::outlast_outage() {
  for (; outage_.lasts(); co_await io::sleep_for(outage_step)) {
    const auto who = outage_.who_leaves(steady::now());
    if (who == nats_outage::leaving::nobody) continue;
    auto leaving = all_sessions();
    const auto most = nats_outage::at_once(leaving.size());
    std::erase_if(leaving, [who](const auto& session) {
      return !session->stays() || (who == nats_outage::leaving::numbered && !session->identity().instance);
    });
    if (leaving.empty()) continue;
    leaving.resize(std::min(leaving.size(), most));
    ops::log::warn("agents_sent_away", {{"agents", leaving.size()}, {"why", "NATS is not connected"}});
    for (const auto& session : leaving) session->drain();
  }
  outlasting_ = false;
}

void bridge::wire_restored() {
  outage_.connected();
  renewer_.wire_restored();
  for (const auto& session : all_sessions()) session->wire_restored();
}

boost::asio::awaitable<bool> bridge::drain(steady::time_point deadline) {
  draining_ = true;
  ops::log::info("draining", {{"attachments", sessions_.size()}});
  const auto began = steady::now();
  const auto time = std::chrono::duration_cast<std::chrono::microseconds>(deadline - began);
  const auto leaving = all_sessions();
  for (std::size_t i = 0; i < leaving.size(); ++i) {
    const auto wait = began + leaves_after(i, leaving.size(), time) - steady::now();
    if (wait > wait.zero()) co_await io::sleep_for(wait);
    leaving[i]->drain();
  }
  co_await wait_finished(deadline - time / 4);
  for (const auto& session : all_sessions()) session->drain_over();
  co_await wait_finished(deadline);
  co_return sessions_.empty();
}

boost::asio::awaitable<void> bridge::wait_finished(steady::time_point until) {
  while (!sessions_.empty() && steady::now() < until) co_await io::sleep_for(std::chrono::milliseconds(10));
}

}  // namespace throughline::agent_bridge
