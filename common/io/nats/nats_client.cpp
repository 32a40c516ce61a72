#include "common/io/nats/nats_client.hpp"

#include <algorithm>
#include <limits>
#include <vector>

namespace throughline::io::detail {
namespace {

// A server that does not answer is given up after this, in connecting, in writing, and (two pings) in silence.
constexpr std::int64_t connect_ms_max = 2'000;
constexpr std::int64_t write_ms_max = 2'000;
constexpr std::int64_t ping_every_ms = 1'500;
constexpr int pings_unanswered_max = 2;

directory<nats_client>& clients() {
  static auto& all = *new directory<nats_client>;
  return all;
}

void* as_closure(std::uint64_t number) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(number));  // NOLINT(performance-no-int-to-ptr): a number
}

std::uint64_t as_number(void* closure) {
  return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(closure));
}

message_headers headers_of(natsMsg* from) {
  message_headers headers;
  const char** names = nullptr;
  int count = 0;
  if (natsMsgHeader_Keys(from, &names, &count) != NATS_OK) return headers;
  headers.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const char* value = nullptr;
    if (natsMsgHeader_Get(from, names[i], &value) == NATS_OK) {
      headers.emplace_back(names[i], value != nullptr ? value : "");
    }
  }
  std::free(static_cast<void*>(names));
  return headers;
}

void message_arrived(natsConnection*, natsSubscription*, natsMsg* raw, void* closure) {
  const std::unique_ptr<natsMsg, decltype(&natsMsg_Destroy)> owned(raw, &natsMsg_Destroy);
  const auto to = inbounds().find(as_number(closure));
  if (!to) return;
  const auto* reply = natsMsg_GetReply(raw);
  message m;
  m.subject = natsMsg_GetSubject(raw);
  if (reply != nullptr) m.reply = reply;
  m.headers = headers_of(raw);
  m.body.assign(natsMsg_GetData(raw), static_cast<std::size_t>(natsMsg_GetDataLength(raw)));
  to->receive(std::move(m), natsMsg_IsNoResponders(raw));
}

void closed(natsConnection*, void* closure) {
  if (const auto client = clients().find(as_number(closure))) client->connection_closed(as_number(closure));
}

void faulted(natsConnection*, natsSubscription* subscription, natsStatus status, void* closure) {
  if (status != NATS_SLOW_CONSUMER) return;
  if (const auto client = clients().find(as_number(closure))) client->messages_dropped(subscription);
}

using options = std::unique_ptr<natsOptions, decltype(&natsOptions_Destroy)>;

/// With TLS, nats.c checks the certificate against the system's authorities (or SSL_CERT_FILE) and the URL's host.
natsStatus set_server(natsOptions* to, const server_url& url, const nats_settings& settings, bool tls) {
  const char* address = url.address.c_str();
  auto s = natsOptions_SetServers(to, &address, 1);
  if (s == NATS_OK && tls) s = natsOptions_SetSecure(to, true);
  if (s == NATS_OK && url.has_password) s = natsOptions_SetUserInfo(to, url.user.c_str(), url.password.c_str());
  if (s == NATS_OK && !url.has_password && !url.user.empty()) s = natsOptions_SetToken(to, url.user.c_str());
  if (s == NATS_OK && !settings.creds_file.empty()) {
    s = natsOptions_SetUserCredentialsFromFiles(to, settings.creds_file.c_str(), nullptr);
  }
  if (s == NATS_OK && !settings.name.empty()) s = natsOptions_SetName(to, settings.name.c_str());
  return s;
}

/// For operators. nats.c's last words name a certificate's fault; of other failures they can quote what was sent.
std::string reason_of(natsStatus s) {
  const char* words = s == NATS_SSL_ERROR ? nats_GetLastError(nullptr) : nullptr;
  return words != nullptr ? words : natsStatus_GetText(s);
}

natsStatus set_behaviour(natsOptions* to, bool send_at_once, void* closure) {
  auto s = natsOptions_SetAllowReconnect(to, false);
  if (s == NATS_OK) s = natsOptions_SetTimeout(to, connect_ms_max);
  if (s == NATS_OK) s = natsOptions_SetWriteDeadline(to, write_ms_max);
  if (s == NATS_OK) s = natsOptions_SetPingInterval(to, ping_every_ms);
  if (s == NATS_OK) s = natsOptions_SetMaxPingsOut(to, pings_unanswered_max);
  if (s == NATS_OK) s = natsOptions_UseGlobalMessageDelivery(to, true);
  if (s == NATS_OK) s = natsOptions_SetSendAsap(to, send_at_once);
  if (s == NATS_OK) s = natsOptions_SetClosedCB(to, closed, closure);
  if (s == NATS_OK) s = natsOptions_SetErrorHandler(to, faulted, closure);
  return s;
}

int limit_of(std::size_t n) {
  return static_cast<int>(std::min<std::size_t>(n, std::numeric_limits<int>::max()));
}

std::unexpected<error> send_failed(natsStatus s) {
  switch (s) {
    case NATS_CONNECTION_CLOSED:
    case NATS_NOT_YET_CONNECTED:
      return fail("disconnected", natsStatus_GetText(s));
    case NATS_MAX_PAYLOAD:
      return fail("too_large", natsStatus_GetText(s));
    case NATS_INVALID_SUBJECT:
    case NATS_INVALID_ARG:
      return fail("bad_subject", natsStatus_GetText(s));
    default:
      return fail("connection_lost", natsStatus_GetText(s));
  }
}

natsStatus send_with_headers(natsConnection* on, const std::string& subject, const char* reply,
                             const message_headers& headers, std::string_view body) {
  natsMsg* raw = nullptr;
  auto s = natsMsg_Create(&raw, subject.c_str(), reply, body.data(), static_cast<int>(body.size()));
  const std::unique_ptr<natsMsg, decltype(&natsMsg_Destroy)> owned(raw, &natsMsg_Destroy);
  for (const auto& [name, value] : headers) {
    if (s == NATS_OK) s = natsMsgHeader_Add(raw, name.c_str(), value.c_str());
  }
  return s == NATS_OK ? natsConnection_PublishMsg(on, raw) : s;
}

}  // namespace

nats_client::nats_client(const nats_settings& settings, bool send_at_once, listener tell)
    : settings_(settings), send_at_once_(send_at_once), tell_(std::move(tell)) {
  servers_ = parse_server_urls(settings_.urls);
  tls_ = std::ranges::any_of(servers_, &server_url::tls);
}

nats_client::~nats_client() {
  release();
}

result<void> nats_client::connect(std::size_t first) {
  release();
  std::string why_not;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (no_more_) return fail("disconnected", "no connection is made any more");
    const auto& url = servers_[(first + i) % servers_.size()];
    const auto s = connect_to(url);
    if (s == NATS_OK) return {};
    why_not += (why_not.empty() ? "" : "; ") + url.address + ": " + reason_of(s);
  }
  return fail("disconnected", why_not.empty() ? "no server is named" : why_not);
}

natsStatus nats_client::connect_to(const server_url& url) {
  const auto number = clients().add(weak_from_this());
  natsOptions* raw_options = nullptr;
  auto s = natsOptions_Create(&raw_options);
  const options with(raw_options, &natsOptions_Destroy);
  if (s == NATS_OK) s = set_server(raw_options, url, settings_, tls_);
  if (s == NATS_OK) s = set_behaviour(raw_options, send_at_once_, as_closure(number));
  natsConnection* raw = nullptr;
  if (s == NATS_OK) s = natsConnection_Connect(&raw, raw_options);
  if (s != NATS_OK) {
    clients().remove(number);
    return s;
  }
  max_payload_ = static_cast<std::size_t>(natsConnection_GetMaxPayload(raw));
  const std::scoped_lock lock(guard_);
  current_ = handle(raw, &natsConnection_Destroy);
  current_number_ = number;
  return NATS_OK;
}

result<void> nats_client::open() {
  const auto on = current();
  if (!on) return fail("disconnected", "no connection");
  if (const auto s = natsConnection_FlushTimeout(on.get(), connect_ms_max); s != NATS_OK) return send_failed(s);
  const std::scoped_lock lock(guard_);
  // A connection that closed meanwhile has reported itself: opening it now would hide that.
  if (natsConnection_IsClosed(on.get())) return fail("disconnected", "closed");
  open_ = current_number_;
  return {};
}

void nats_client::close(std::chrono::milliseconds flush) {
  const auto on = current();
  if (on && is_open() && flush.count() > 0) natsConnection_FlushTimeout(on.get(), flush.count());
  release();
}

nats_client::handle nats_client::current() const {
  const std::scoped_lock lock(guard_);
  return current_;
}

void nats_client::release() {
  handle last;
  std::unordered_map<std::uint64_t, natsSubscription*> subscriptions;
  {
    const std::scoped_lock lock(guard_);
    open_ = 0;
    clients().remove(current_number_);
    current_number_ = 0;
    last.swap(current_);
    subscriptions.swap(subscriptions_);
  }
  if (last) natsConnection_Close(last.get());
  for (const auto& [number, subscription] : subscriptions) natsSubscription_Destroy(subscription);
}

result<std::uint64_t> nats_client::send(const std::string& subject, const std::string& reply,
                                        const message_headers& headers, std::string_view body) {
  handle on;
  std::uint64_t number = 0;
  {
    const std::scoped_lock lock(guard_);
    if (open_ == 0) return fail("disconnected", "not connected to NATS");
    on = current_;
    number = current_number_;
  }
  const char* reply_to = reply.empty() ? nullptr : reply.c_str();
  natsStatus s = NATS_OK;
  if (!headers.empty()) {
    s = send_with_headers(on.get(), subject, reply_to, headers, body);
  } else if (reply_to != nullptr) {
    s = natsConnection_PublishRequest(on.get(), subject.c_str(), reply_to, body.data(), static_cast<int>(body.size()));
  } else {
    s = natsConnection_Publish(on.get(), subject.c_str(), body.data(), static_cast<int>(body.size()));
  }
  if (s != NATS_OK) return send_failed(s);
  return number;
}

void nats_client::subscribe(const inbound& to, const std::string& subject, const std::string& queue,
                            pending_limits limits) {
  const std::scoped_lock lock(guard_);
  if (!current_ || subscriptions_.contains(to.number)) return;
  natsSubscription* made = nullptr;
  const auto s = queue.empty() ? natsConnection_Subscribe(&made, current_.get(), subject.c_str(), message_arrived,
                                                          as_closure(to.number))
                               : natsConnection_QueueSubscribe(&made, current_.get(), subject.c_str(), queue.c_str(),
                                                               message_arrived, as_closure(to.number));
  if (s != NATS_OK) return;  // the connection is closing: the next one is given all subscriptions
  natsSubscription_SetPendingLimits(made, limit_of(limits.messages), limit_of(limits.bytes));
  subscriptions_.emplace(to.number, made);
}

natsSubscription* nats_client::take(std::uint64_t subscription) {
  const std::scoped_lock lock(guard_);
  const auto found = subscriptions_.find(subscription);
  if (found == subscriptions_.end()) return nullptr;
  auto* last = found->second;
  subscriptions_.erase(found);
  return last;
}

void nats_client::unsubscribe(std::uint64_t subscription) {
  auto* last = take(subscription);
  if (last == nullptr) return;
  natsSubscription_Unsubscribe(last);
  natsSubscription_Destroy(last);
}

void nats_client::finish(const std::vector<std::uint64_t>& subscriptions, std::chrono::milliseconds longest) {
  const auto deadline = std::chrono::steady_clock::now() + longest;
  std::vector<natsSubscription*> ending;
  for (const auto number : subscriptions) {
    if (auto* each = take(number)) ending.push_back(each);
  }
  // All of them leave the server before the first is waited for. nats.c has a thread for each until it is drained.
  for (auto* each : ending) natsSubscription_DrainTimeout(each, longest.count());
  for (auto* each : ending) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    natsSubscription_WaitForDrainCompletion(each, std::max<std::int64_t>(left.count(), 1));
    natsSubscription_Destroy(each);
  }
}

std::uint64_t nats_client::dropped(std::uint64_t subscription) const {
  const std::scoped_lock lock(guard_);
  const auto found = subscriptions_.find(subscription);
  std::int64_t n = 0;
  if (found == subscriptions_.end() || natsSubscription_GetDropped(found->second, &n) != NATS_OK) return 0;
  return static_cast<std::uint64_t>(n);
}

void nats_client::connection_closed(std::uint64_t connection) {
  {
    const std::scoped_lock lock(guard_);
    if (connection != current_number_) return;
    open_ = 0;
  }
  tell_.lost(connection);
}

void nats_client::messages_dropped(const natsSubscription* subscription) {
  std::uint64_t number = 0;
  {
    const std::scoped_lock lock(guard_);
    for (const auto& [of, each] : subscriptions_) {
      if (each == subscription) number = of;
    }
  }
  if (number != 0) tell_.slow(number);
}

}  // namespace throughline::io::detail
