// What processes ask of one another over NATS, as the links of the real ones do it.

#include <algorithm>
#include <utility>

#include "common/codec/render.hpp"
#include "common/codec/requests.hpp"
#include "services/gateway/core/sending.hpp"
#include "tests/simulation/bridge.hpp"
#include "tests/simulation/gateway.hpp"
#include "tests/simulation/replica.hpp"
#include "tests/simulation/world.hpp"

namespace throughline::simulation {

using throughline::gateway::attempt_outcome;
using throughline::gateway::next_attempt;
using throughline::gateway::read_attempts;

namespace {

constexpr micros nobody_says_so{300};
constexpr millis read_budget{4'000};

/// Whoever asked hears one answer.
template <class Answer>
struct question {
  std::function<void(const Answer&)> then;
  bool settled = false;
  void settle(const Answer& got) {
    if (!std::exchange(settled, true)) then(got);
  }
};

}  // namespace

/// `encode` is called where the wire is narrow, and gives what `decode` takes; else the value goes as it is.
template <class Value, class Encode, class Decode>
void world::carry(const life& to, const Value& what, const Encode& encode, const Decode& decode,
                  std::function<void(const Value&)> arrives) {
  if (!nats.is_narrow()) return nats.send(to, [what, arrives] { arrives(what); });
  nats.post(to, {}, encode(what), [decode, arrives](const io::message& m) {
    if (const auto value = decode(m.body)) arrives(*value);
  });
}

void world::ask_owner(const owner_question& request, millis timeout, const life& of,
                      std::function<void(const owner_outcome&)> then) {
  auto asked = std::make_shared<question<owner_outcome>>(std::move(then));
  bool anybody = false;
  const auto encode = [&](const owner_question& r) {
    return std::visit([&](const auto& one) { return codec::encode(one, timeout); }, r);
  };
  const auto decode = [](const std::string& bytes) -> std::optional<owner_question> {
    const auto got = codec::decode_request(bytes);
    if (!got) return std::nullopt;
    if (const auto* all = std::get_if<renew>(&got->what)) return *all;
    if (const auto* one = std::get_if<session_request>(&got->what)) return *one;
    return std::nullopt;
  };
  for (const auto& o : replicas) {
    if (!o->subscribes()) continue;
    anybody = true;
    const auto offer = [this, o = std::weak_ptr(o), timeout, asked, back = std::weak_ptr(of)](const owner_question& r) {
      const auto to = o.lock();
      if (!to) return;
      to->offer(r, timeout, [this, asked, back](const owner_answer& a) {
        if (const auto there = back.lock()) answer_back(there, a, [asked](const owner_answer& x) { asked->settle(x); });
      });
    };
    carry<owner_question>(o->alive(), request, encode, decode, offer);
  }
  if (anybody) {
    loop.after(timeout, of, [asked] { asked->settle(agent_bridge::send_failure::timeout); });
  } else {
    loop.after(nobody_says_so, of, [asked] { asked->settle(agent_bridge::send_failure::no_responders); });
  }
}

void world::answer_back(const life& to, const owner_answer& a, std::function<void(const owner_answer&)> arrives) {
  const auto encode = [](const owner_answer& x) { return codec::encode(x.what, x.epoch); };
  const auto decode = [](const std::string& bytes) -> std::optional<owner_answer> {
    auto got = codec::decode_reply(bytes);
    if (!got) return std::nullopt;
    return owner_answer{got->epoch, std::move(got->what)};
  };
  carry<owner_answer>(to, a, encode, decode, std::move(arrives));
}

void world::ask_bridge(const bridge_id& to, const bridge_order& what, std::uint64_t epoch, const life& of,
                       std::function<void(std::optional<order_outcome>)> then) {
  auto asked = std::make_shared<question<std::optional<order_outcome>>>(std::move(then));
  loop.after(micros(1'000'000), of, [asked] { asked->settle(std::nullopt); });
  if (!the_bridge || !the_bridge->alive() || the_bridge->id() != to) return;
  nats.send(the_bridge->alive(), [this, what, epoch, asked, back = std::weak_ptr(of)] {
    the_bridge->order(what, epoch, [this, asked, back](order_outcome o) {
      if (const auto there = back.lock()) nats.send(there, [asked, o] { asked->settle(o); });
    });
  });
}

struct world::reading_question {
  read_request what;
  std::weak_ptr<const int> of;
  std::function<bool(std::uint64_t)> admit;
  std::function<void(std::optional<reading>)> then;
  read_attempts attempts;
};

void world::read(const read_request& what, const life& of, std::function<bool(std::uint64_t)> admit,
                 std::function<void(std::optional<reading>)> then) {
  const auto now = std::chrono::duration_cast<millis>(loop.now());
  auto q = std::make_shared<reading_question>(
      reading_question{what, of, std::move(admit), std::move(then), read_attempts(now, read_budget)});
  attempt_read(q, q->attempts.first().timeout, false);
}

/// Any replica answers a read; the shard's own subject is heard by who serves it.
std::vector<std::shared_ptr<replica>> world::readers(bool direct) {
  std::vector<std::shared_ptr<replica>> out;
  for (const auto& o : replicas) {
    if (direct ? o->subscribes() : o->is_connected()) out.push_back(o);
  }
  if (direct || out.size() < 2) return out;
  return {out[by.below(out.size())]};
}

void world::attempt_read(const std::shared_ptr<reading_question>& q, millis timeout, bool direct) {
  const auto of = q->of.lock();
  if (!of) return;
  struct outcome {
    attempt_outcome became = attempt_outcome::unanswered;
    std::optional<reader_answer> got;
  };
  auto asked = std::make_shared<question<outcome>>([this, q](const outcome& o) {
    if (o.got && q->admit(o.got->epoch)) return q->then(o.got->what);
    const auto next = q->attempts.next(o.became, millis(0), std::chrono::duration_cast<millis>(loop.now()));
    const auto there = q->of.lock();
    if (!next || !there) return q->then(std::nullopt);
    loop.after(next->wait, there, [this, q, next] { attempt_read(q, next->timeout, next->direct); });
  });
  const auto to = readers(direct);
  for (const auto& o : to) {
    nats.send(o->alive(), [this, o = std::weak_ptr(o), q, asked] {
      const auto reader = o.lock();
      if (!reader) return;
      reader->read(q->what, [this, q, asked](const reader_answer& a) {
        const auto there = q->of.lock();
        if (!there) return;
        const auto encode = [](const reader_answer& x) { return codec::encode(x.what, x.epoch); };
        const auto decode = [](const std::string& bytes) -> std::optional<reader_answer> {
          auto got = codec::decode_reading(bytes);
          if (!got) return std::nullopt;
          return reader_answer{got->epoch, std::move(got->what)};
        };
        carry<reader_answer>(there, a, encode, decode,
                             [asked](const reader_answer& x) { asked->settle({attempt_outcome::unanswered, x}); });
      });
    });
  }
  if (std::ranges::none_of(replicas, [](const auto& r) { return r->can_read(); })) check.nobody_reads();
  if (to.empty()) {
    loop.after(nobody_says_so, of, [asked] { asked->settle({attempt_outcome::nobody, std::nullopt}); });
  } else {
    loop.after(timeout, of, [asked] { asked->settle({attempt_outcome::unanswered, std::nullopt}); });
  }
}

void world::publish(const stored_event& e) {
  const auto headers = codec::write_headers(e.headers);
  for (const auto& g : gateways) {
    if (!g->alive()) continue;
    nats.post(g->alive(), headers, *e.body,
              [g = g.get(), session = e.session](const io::message& m) { g->received(session, m); });
  }
}

void world::publish_access() {
  for (const auto& [id, row] : db.rows().sessions()) {
    const auto now = db.head(id);
    std::string body;
    codec::render_access(body, now.access, now.head.epoch);
    const auto headers = codec::write_headers({.kind = codec::message_kind::access_changed, .at = {now.head.epoch, 0}});
    for (const auto& g : gateways) {
      if (!g->alive()) continue;
      nats.post(g->alive(), headers, body, [g = g.get(), id](const io::message& m) { g->received(id, m); });
    }
  }
}

}  // namespace throughline::simulation
