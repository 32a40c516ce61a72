#include "services/agent-bridge/shell/owner_link.hpp"

#include <string>

#include "common/codec/broadcasts.hpp"
#include "common/codec/subjects.hpp"
#include "common/io/nats/nats_asio.hpp"

namespace throughline::agent_bridge {
namespace {

send_failure failure_of(const error& e) {
  if (e.code == "no_responders") return send_failure::no_responders;
  if (e.code == "disconnected") return send_failure::disconnected;
  if (e.code == "timeout") return send_failure::timeout;
  if (e.code == "connection_lost") return send_failure::connection_lost;
  return send_failure::unusable;
}

}  // namespace

owner_link::outcome<codec::reply_message> owner_link::reply_of(const result<io::message>& answer) {
  if (!answer) return std::unexpected(failure_of(answer.error()));
  auto decoded = codec::decode_reply(answer->body);
  if (!decoded || !admit(decoded->epoch)) return std::unexpected(send_failure::unusable);
  return std::move(*decoded);
}

io::request_handle owner_link::ask(const session_request& request, millis timeout,
                                   std::function<void(outcome<codec::reply_message>)> then) {
  return ask(codec::subject_of(request), codec::encode(request, timeout), timeout, std::move(then));
}

io::request_handle owner_link::ask(const renew& request, millis timeout,
                                   std::function<void(outcome<codec::reply_message>)> then) {
  return ask(codec::subject_of(request), codec::encode(request, timeout), timeout, std::move(then));
}

io::request_handle owner_link::ask(std::string subject, std::string body, millis timeout,
                                   std::function<void(outcome<codec::reply_message>)> then) {
  return link_.request({.subject = std::move(subject), .direct = {}}, {}, std::move(body), timeout,
                       [this, then = std::move(then)](const result<io::message>& answer) { then(reply_of(answer)); });
}

boost::asio::awaitable<owner_link::outcome<codec::reply_message>> owner_link::ask(const session_request& request,
                                                                                  millis timeout) {
  const auto answer = co_await io::request(link_, {.subject = codec::subject_of(request), .direct = {}}, {},
                                           codec::encode(request, timeout), timeout);
  co_return reply_of(answer);
}

boost::asio::awaitable<owner_link::outcome<reading>> owner_link::read(const read_request& request, millis timeout) {
  const auto answer = co_await io::request(link_, {.subject = std::string(codec::read_subject), .direct = {}}, {},
                                           codec::encode(request, timeout), timeout);
  if (!answer) co_return std::unexpected(failure_of(answer.error()));
  auto decoded = codec::decode_reading(answer->body);
  if (!decoded || !admit(decoded->epoch)) co_return std::unexpected(send_failure::unusable);
  co_return std::move(decoded->what);
}

bool owner_link::admit(std::uint64_t epoch) {
  if (epochs_.admit(epoch)) return true;
  (void)link_.publish(std::string(codec::epoch_subject), {}, codec::encode_epoch(epochs_.highest()));
  return false;
}

void owner_link::respond(const io::message& to, order_outcome outcome) {
  // An answer that does not leave is one that was lost: the owner asks again.
  (void)link_.respond(to, {}, codec::encode(outcome));
}

}  // namespace throughline::agent_bridge
