#include "tests/simulation/bridge.hpp"

#include <algorithm>

#include "common/codec/requests.hpp"
#include "common/delta/text.hpp"

namespace throughline::simulation {

using namespace agent_bridge;

bridge::bridge(world& around)
    : w_(around), id_(w_.fresh("brg_")), renewals_(codec::renew_attachments_max, w_.by.next()) {}

void bridge::die() {
  w_.trace("bridge dies");
  for (auto& [id, s] : slots_) {
    if (!s->socket) continue;
    s->socket->broken = true;
    s->socket->bridge_side.reset();
    // The machine resets its connections at once, or has gone with the process and answers nothing.
    const auto patience = w_.by.one_in(4) ? micros(20'000'000) : micros(300'000);
    w_.loop.after(w_.by.between(micros(0), patience), s->socket->agent_side, [k = s->socket] {
      if (k->closed_by_bridge) k->closed_by_bridge(1006);
    });
    // What it had read and not committed is lost with it; a stock agent sends nothing again.
    w_.check.lost_on_the_way("");
  }
  slots_.clear();
  alive_.reset();
}

void bridge::upgrade(std::shared_ptr<agent_socket> socket, const std::optional<std::string>& instance,
                     std::function<void(bool)> then) {
  const attachment_id id{w_.fresh("att_")};
  auto s = std::make_shared<slot>(attachment_identity{w_.db.root(), id, id_, "t", instance}, w_.by.next());
  s->socket = std::move(socket);
  slots_[id] = s;
  attach(s, w_.loop.now() + micros(5'000'000), 0, std::move(then));
}

void bridge::attach(slot_ptr s, micros deadline, unsigned failures, std::function<void(bool)> then) {
  const auto& who = s->core.identity();
  const session_request request =
      throughline::attach{who.session, who.attachment, who.bridge, who.token_hash, who.instance};
  w_.ask_owner(request, millis(2'000), alive_, [=, this](const world::owner_outcome& got) {
    const auto* answer = std::get_if<world::owner_answer>(&got);
    const bool current = answer && epochs_.admit(answer->epoch);
    if (current && std::holds_alternative<attached>(answer->what)) {
      w_.trace("attached " + s->core.identity().attachment.text());
      s->committed = true;
      s->socket->bridge_side = new_life();
      then(true);
      return apply(s, input::attach_committed{answer->epoch, std::get<attached>(answer->what).agent_seq});
    }
    if (current && std::holds_alternative<attach_refused>(answer->what)) {
      slots_.erase(s->core.identity().attachment);
      return then(false);
    }
    const auto why = answer ? send_failure::unusable : std::get<send_failure>(got);
    const auto pause = retry_delay(why, failures + 1, w_.by.next());
    if (w_.loop.now() + pause >= deadline) {
      s->committed = true;
      then(false);
      s->socket->broken = true;
      return apply(s, input::socket_ended{});
    }
    w_.loop.after(pause, alive_, [=, this] { attach(s, deadline, failures + 1, then); });
  });
}

void bridge::order(const bridge_order& what, std::uint64_t epoch, std::function<void(order_outcome)> answer) {
  if (!epochs_.admit(epoch)) return;
  const auto& whose = std::visit([](const auto& one) -> const attachment_id& { return one.attachment; }, what);
  const auto at = slots_.find(whose);
  if (at == slots_.end()) return answer(order_outcome::unknown);
  const auto s = at->second;
  s->orders[++s->last_ticket] = std::move(answer);
  apply(s, input::ordered{s->last_ticket, what});
}

void bridge::apply(const slot_ptr& s, attachment_input what) {
  auto effects = s->core.apply(std::move(what), now());
  note_renewal(*s);
  for (auto& e : effects) perform(s, e);
  arm(s);
  w_.loop.after(micros(0), alive_, [this, s] { pump(s); });
}

void bridge::perform(const slot_ptr& s, attachment_effect& e) {
  if (auto* ask_it = std::get_if<effect::ask_owner>(&e)) {
    ask(s, *ask_it);
  } else if (const auto* write = std::get_if<effect::write_command>(&e)) {
    this->write(s, [body = write->body](const agent_socket& k) { k.to_agent(body); });
    w_.loop.after(micros(50), alive_, [this, s, id = write->command] { apply(s, input::command_settled{id, true}); });
  } else if (const auto* back = std::get_if<effect::resume>(&e)) {
    this->write(s, [seq = back->last.seq](const agent_socket& k) { k.resume(seq); });
  } else if (const auto* ack = std::get_if<effect::acknowledge>(&e)) {
    this->write(s, [seq = ack->agent_seq](const agent_socket& k) { k.acknowledge(seq); });
    w_.loop.after(micros(50), alive_, [this, s] { apply(s, input::ack_settled{true}); });
  } else if (const auto* answer = std::get_if<effect::answer_order>(&e)) {
    const auto at = s->orders.find(answer->asked);
    if (at == s->orders.end()) return;
    at->second(answer->outcome);
    s->orders.erase(at);
  } else if (const auto* close = std::get_if<effect::close_socket>(&e)) {
    if (s->socket->broken) return;
    w_.trace("bridge closes " + std::to_string(close->code));
    s->socket->broken = true;
    if (!s->socket->unread.empty()) w_.check.lost_on_the_way("");
    w_.loop.after(micros(1'000), s->socket->agent_side, [k = s->socket, code = close->code] {
      if (k->closed_by_bridge) k->closed_by_bridge(code);
    });
    w_.loop.after(micros(100), alive_, [this, s] { apply(s, input::socket_ended{}); });
  } else if (const auto* done = std::get_if<effect::finished>(&e)) {
    w_.trace("attachment finished: " + std::string(done->why));
    if (done->frames_lost > 0) w_.check.lost_on_the_way("");
    slots_.erase(s->core.identity().attachment);
  }
}

/// In order. A write into a socket that is broken unnoticed succeeds, and reaches nobody.
void bridge::write(const slot_ptr& s, std::function<void(const agent_socket&)> what) {
  auto& socket = *s->socket;
  socket.last_down = std::max(socket.last_down, w_.loop.now() + w_.by.between(micros(100), micros(3'000)));
  w_.loop.after(socket.last_down - w_.loop.now(), socket.agent_side, [k = s->socket, what = std::move(what)] {
    if (!k->broken) what(*k);
  });
}

void bridge::ask(const slot_ptr& s, effect::ask_owner& e) {
  if (auto* h = std::get_if<hand_over>(&e.request); h && w_.planted(plant::merge_after_numbering)) merge_sent(*s, *h);
  w_.ask_owner(e.request, e.patience, alive_, [this, s, which = e.which](const world::owner_outcome& got) {
    const auto* answer = std::get_if<world::owner_answer>(&got);
    if (!answer) return apply(s, input::unanswered{which, std::get<send_failure>(got)});
    if (!epochs_.admit(answer->epoch)) return apply(s, input::unanswered{which, send_failure::unusable});
    if (const auto* r = std::get_if<hand_over_result>(&answer->what); r && r->status == hand_over_status::applied) {
      w_.check.handed_over(s->core.identity().attachment, r->number);
    }
    apply(s, input::answered{which, answer->what});
  });
}

void bridge::note_renewal(slot& s) {
  if (s.renewed == s.core.wants_renewal()) return;
  s.renewed = s.core.wants_renewal();
  const auto& who = s.core.identity();
  s.renewed ? renewals_.hold(who.session, who.attachment, now()) : renewals_.release(who.session, who.attachment);
  arm_renewals();
}

void bridge::renew_due() {
  for (const auto& attempt : renewals_.due(now())) {
    w_.ask_owner(attempt.what, attempt.patience, alive_,
                 [this, shard = attempt.shard](const world::owner_outcome& got) {
                   const auto* answer = std::get_if<world::owner_answer>(&got);
                   if (!answer) {
                     renewals_.unanswered(shard, std::get<send_failure>(got), now());
                   } else if (!epochs_.admit(answer->epoch)) {
                     renewals_.unanswered(shard, send_failure::unusable, now());
                   } else {
                     for (const auto& one : renewals_.answered(shard, answer->what, now())) {
                       const auto at = slots_.find(one.attachment);
                       if (at != slots_.end()) apply(slot_ptr(at->second), input::not_renewed{one.why});
                     }
                   }
                   renew_due();
                 });
  }
  arm_renewals();
}

void bridge::arm_renewals() {
  const auto next = renewals_.next_wake();
  if (!next) return;
  const auto in = std::max(micros(0), std::chrono::duration_cast<micros>(*next - now()) + micros(1));
  w_.loop.after(in, alive_, [this, wake = ++renewal_wake_] {
    if (wake == renewal_wake_) renew_due();
  });
}

/// The planted fault: numbers that were on the wire get the newest content of their entry, later ones become empty.
void bridge::merge_sent(slot& s, hand_over& h) {
  for (std::size_t i = 0; i < h.frames.size(); ++i) {
    const auto* m = h.frames[i].event ? std::get_if<agent::message_added>(&*h.frames[i].event) : nullptr;
    if (!m || !s.sent.contains(h.frames[i].number)) continue;
    const auto key = std::tuple(m->thread, m->message, m->request);
    for (std::size_t k = i + 1; k < h.frames.size(); ++k) {
      const auto* later = h.frames[k].event ? std::get_if<agent::message_added>(&*h.frames[k].event) : nullptr;
      if (!later || std::tuple(later->thread, later->message, later->request) != key) continue;
      std::get<agent::message_added>(*h.frames[i].event).content = delta::whole(s.contents[key]);
      h.frames[k].event.reset();
    }
  }
  for (const auto& f : h.frames) s.sent[f.number] = f;
}

/// The planted fault: a message id that an earlier turn of the thread has is taken for a replay, whatever it says.
bool bridge::dropped_by_id(const agent_event& e) const {
  const auto* m = std::get_if<agent::message_added>(&e);
  if (!m || m->role == agent::author::user) return false;
  for (const auto& [id, session] : w_.db.rows().sessions()) {
    for (const auto& t : w_.db.rows().turns(id)) {
      if (!is_terminal(t.record.state) || t.thread != m->thread || t.record.id.text() == m->request.text()) continue;
      if (std::ranges::any_of(t.record.entries, [&](const entry& x) { return x.id == m->message; })) return true;
    }
  }
  return false;
}

void bridge::pump(const slot_ptr& s) {
  auto& unread = s->socket->unread;
  while (s->core.wants_frames() && !unread.empty()) {
    auto next = std::move(unread.front());
    unread.pop_front();
    if (w_.planted(plant::replay_by_id) && dropped_by_id(next.event)) continue;
    if (const auto* m = std::get_if<agent::message_added>(&next.event)) {
      s->contents[{m->thread, m->message, m->request}] = m->content.text;
    }
    const auto number = next.seq == 0 ? std::nullopt : std::optional(next.seq);
    apply(s, input::frame_read{std::move(next.event), number});
  }
  if (s->core.reading_is_over() && !unread.empty()) {
    for (const auto& lost : unread) w_.check.lost_on_the_way(lost.thread);
    unread.clear();
  }
  if (!s->socket->stirred) {
    s->socket->stirred = [this, alive = std::weak_ptr(alive_), weak = std::weak_ptr(s)] {
      if (const auto there = weak.lock(); there && !alive.expired()) pump(there);
    };
    s->socket->ended = [this, alive = std::weak_ptr(alive_), weak = std::weak_ptr(s)] {
      if (const auto there = weak.lock(); there && !alive.expired()) apply(there, input::socket_ended{});
    };
  }
}

void bridge::arm(const slot_ptr& s) {
  if (!s->socket->stirred) pump(s);
  const auto next = s->core.next_wake();
  if (!s->committed || !next) return;
  const auto in = std::max(micros(0), std::chrono::duration_cast<micros>(*next - now()) + micros(1));
  w_.loop.after(in, alive_, [this, s, wake = ++s->wake] {
    if (wake == s->wake && !s->core.is_finished()) apply(s, input::tick{});
  });
}

}  // namespace throughline::simulation
