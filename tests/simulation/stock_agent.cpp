#include "tests/simulation/stock_agent.hpp"

#include <algorithm>

#include "common/delta/text.hpp"
#include "tests/simulation/violation.hpp"

namespace throughline::simulation {

namespace wire_words = throughline::agent;

stock_agent::stock_agent(world& around) : w_(around) {}

void stock_agent::start() {
  if (is_numbered()) instance_ = w_.fresh("life_");
  w_.loop.after(w_.by.between(micros(10'000), micros(500'000)), process_, [this] { connect(); });
}

void stock_agent::connect() {
  auto socket = std::make_shared<agent_socket>();
  link_ = new_life();
  socket->agent_side = link_;
  socket->to_agent = [this](const agent_command& c) { obey(c); };
  socket->resume = [this](std::uint64_t seq) { resume_after(seq); };
  socket->acknowledge = [this](std::uint64_t seq) { acknowledged(seq); };
  socket->closed_by_bridge = [this](int) { lost_connection(); };
  const auto failed = [this] {
    w_.loop.after(back_off_, process_, [this] { connect(); });
    back_off_ = std::min(2 * back_off_, micros(30'000'000));
  };
  if (!w_.the_bridge || !w_.the_bridge->alive()) return failed();
  // An upgrade that nobody answers is given up; the real client does so, too.
  auto answered = std::make_shared<bool>(false);
  w_.loop.after(micros(8'000'000), link_, [answered, socket, failed] {
    if (*answered) return;
    *answered = true;
    socket->broken = true;
    failed();
  });
  const auto instance = is_numbered() ? std::optional(instance_) : std::nullopt;
  w_.the_bridge->upgrade(socket, instance, [this, answered, socket, failed, alive = std::weak_ptr(link_)](bool yes) {
    if (alive.expired() || std::exchange(*answered, true)) {
      socket->broken = true;
      if (socket->ended) w_.loop.after(micros(1'000), socket->bridge_side, [socket] { socket->ended(); });
      return;
    }
    if (!yes) return failed();
    connected_to(socket);
  });
}

void stock_agent::connected_to(std::shared_ptr<agent_socket> socket) {
  w_.trace("agent connected");
  socket_ = std::move(socket);
  up_ = true;
  opened_ = false;
  back_off_ = micros(1'000'000);
  resumed_ = false;
  if (!is_numbered()) fifo_.push_front({wire_words::ping{}, ""});
  w_.loop.after(micros(5'000'000), link_, [this] {
    if (!opened_) emit(wire_words::agent_ready{"zed-connection", std::nullopt}, "");
  });
  write_next();
  if (!w_.happens(w_.bad.socket_break)) return;
  w_.loop.after(w_.by.between(micros(100'000), micros(15'000'000)), link_, [this] { break_socket(); });
}

/// Everything above what is committed is said again, before anything new.
void stock_agent::resume_after(std::uint64_t committed) {
  acknowledged(committed);
  for (; !unacknowledged_.empty(); unacknowledged_.pop_back()) fifo_.push_front(unacknowledged_.back());
  resumed_ = true;
  write_next();
}

void stock_agent::acknowledged(std::uint64_t seq) {
  while (!unacknowledged_.empty() && unacknowledged_.front().seq <= seq) unacknowledged_.pop_front();
}

/// The network dies: both ends find out, each in its time.
void stock_agent::break_socket() {
  if (!up_ || socket_->broken) return;
  w_.trace("socket breaks");
  socket_->broken = true;
  const auto patience = w_.by.one_in(4) ? micros(20'000'000) : micros(300'000);
  w_.loop.after(w_.by.between(micros(0), patience), link_, [this] { lost_connection(); });
  const auto notice = [k = socket_] {
    if (k->ended) k->ended();
  };
  w_.loop.after(w_.by.between(micros(0), patience), socket_->bridge_side, notice);
}

void stock_agent::lost_connection() {
  if (!up_) return;
  w_.trace("agent lost its connection");
  up_ = false;
  if (!socket_->broken) {
    socket_->broken = true;
    if (socket_->ended) w_.loop.after(micros(1'000), socket_->bridge_side, [k = socket_] { k->ended(); });
  }
  link_.reset();
  w_.loop.after(back_off_, process_, [this] { connect(); });
  back_off_ = std::min(2 * back_off_, micros(30'000'000));
}

void stock_agent::restart() {
  w_.trace("agent restarts");
  if (up_) {
    up_ = false;
    socket_->broken = true;
    if (socket_->ended) w_.loop.after(micros(1'000), socket_->bridge_side, [k = socket_] { k->ended(); });
  } else if (socket_) {
    socket_->broken = true;
  }
  link_.reset();
  for (auto& f : fifo_) w_.check.lost_of_thread(f.thread);
  for (auto& f : unacknowledged_) w_.check.lost_of_thread(f.thread);
  fifo_.clear();
  unacknowledged_.clear();
  asked_.clear();
  last_seq_ = 0;
  ++restarts_;
  // Ids start again, or the thread is loaded with its history and replayed.
  const bool keeps_history = w_.by.one_in(2);
  for (auto& [id, t] : threads_) {
    w_.check.lost_of_thread(id);
    saved_[id] = keeps_history ? t.entries : decltype(t.entries){};
  }
  threads_.clear();
  follow_ups_.clear();
  process_ = new_life();
  back_off_ = micros(1'000'000);
  start();
}

void stock_agent::emit(agent_event event, const std::string& thread) {
  fifo_.push_back({std::move(event), thread, is_numbered() ? ++last_seq_ : 0});
  write_next();
}

void stock_agent::write_next() {
  if (!up_ || writing_ || fifo_.empty() || (is_numbered() && !resumed_)) return;
  writing_ = true;
  w_.loop.after(micros(20), link_, [] {});
  auto next = std::move(fifo_.front());
  fifo_.pop_front();
  if (is_numbered()) unacknowledged_.push_back(next);
  writing_ = false;
  auto socket = socket_;
  socket->last_up = std::max(socket->last_up, w_.loop.now() + w_.by.between(micros(50), micros(2'000)));
  // The frame is lost when the connection breaks before it arrives, however that side learns of it.
  w_.loop.after(socket->last_up - w_.loop.now(), process_, [this, socket, next]() mutable {
    if (socket->broken || !socket->bridge_side) return w_.check.lost_on_the_way(next.thread);
    socket->unread.push_back(std::move(next));
    if (socket->stirred) socket->stirred();
  });
  if (!fifo_.empty()) write_next();
}

void stock_agent::obey(const agent_command& command) {
  std::visit([this](const auto& c) { on(c); }, command);
}

void stock_agent::ready(const std::string& thread) {
  const auto named = thread.empty() ? std::nullopt : std::optional(thread_id{thread});
  emit(wire_words::agent_ready{"zed-agent", named}, "");
}

void stock_agent::on(const wire_words::open_thread& m) {
  opened_ = true;
  const auto load = w_.by.between(micros(5'000), micros(800'000));
  w_.loop.after(load, process_, [this, m] {
    const auto id = m.thread.text();
    if (threads_.contains(id)) return ready(id);
    const bool known = saved_.contains(id);
    if (!known || w_.happens(w_.bad.agent_error)) {
      const bool gone = !known || w_.by.one_in(2);
      if (gone) {
        saved_.erase(id);
        w_.check.thread_gone(m.request);
      }
      const auto why = gone ? "no thread found with ID: SessionId(\"" + id + "\")" : std::string("timeout");
      if (m.request.empty()) return;
      return emit(wire_words::thread_load_error{m.thread, m.request, "Failed to load thread: " + why}, id);
    }
    auto& t = threads_[id];
    t.id = id;
    t.entries = std::exchange(saved_[id], {});
    saved_.erase(id);
    ready(id);
    replay(t);
  });
}

/// A loaded thread says its history again, without an id.
void stock_agent::replay(thread& t) {
  for (const auto& [e, request] : t.entries) {
    if (e.content.empty() || request == "user") continue;
    emit(wire_words::message_added{.thread = thread_id{t.id},
                                   .message = e.id,
                                   .type = e.type,
                                   .content = delta::whole(e.content),
                                   .request = {},
                                   .tool_name = e.tool_name,
                                   .tool_status = e.tool_status},
         t.id);
  }
}

stock_agent::thread& stock_agent::new_thread() {
  const auto id = "thread-" + std::to_string(++threads_made_);
  auto& t = threads_[id];
  t.id = id;
  return t;
}

void stock_agent::on(const wire_words::chat_message& m) {
  w_.trace("agent gets " + m.message + " as " + m.request.text() + (m.redelivered ? " again" : ""));
  must(!m.redelivered || is_numbered(), "written_once", "said to be sent again, to an agent that cannot tell");
  if (is_numbered() && m.redelivered && asked_.contains(m.request.text())) {
    dropped_.insert(m.request.text());
    return;
  }
  asked_.insert(m.request.text());
  w_.check.written_to_agent(m.request);
  if (!m.thread) {
    auto& t = new_thread();
    ready(t.id);
    emit(wire_words::thread_created{thread_id{t.id}, m.request, std::nullopt}, t.id);
    return begin_turn(t, {.request = m.request.text(), .thread = t.id, .prompt = m.message});
  }
  if (m.interrupt) {
    const auto t = threads_.find(m.thread->text());
    if (t != threads_.end() && t->second.turn) end_turn(t->second, true);
  }
  follow_ups_.push_back(m);
  follow_up();
}

/// One follow-up at a time, for any thread: the next waits until the turn before has ended.
void stock_agent::follow_up() {
  if (follow_ups_.empty()) return;
  if (std::ranges::any_of(threads_, [](const auto& t) { return t.second.turn != nullptr; })) return;
  const auto m = follow_ups_.front();
  follow_ups_.pop_front();
  const auto id = m.thread->text();
  if (!threads_.contains(id)) {
    if (!saved_.contains(id)) {
      w_.check.thread_gone(m.request);
      emit(wire_words::thread_load_error{*m.thread, m.request,
                                         "Failed to load thread: no thread found with ID: SessionId(\"" + id + "\")"},
           id);
      return follow_up();
    }
    auto& t = threads_[id];
    t.id = id;
    t.entries = std::exchange(saved_[id], {});
    saved_.erase(id);
    ready(id);
  }
  begin_turn(threads_[id], {.request = m.request.text(), .thread = id, .prompt = m.message});
}

void stock_agent::on(const wire_words::cancel_current_turn& m) {
  for (auto& [id, t] : threads_) {
    if (!t.turn || t.request != m.request.text()) continue;
    emit(wire_words::turn_cancelled{m.request, true}, id);
    w_.loop.after(w_.by.between(micros(1'000), micros(400'000)), process_, [this, name = id, was = t.turn] {
      const auto still = threads_.find(name);
      if (still != threads_.end() && still->second.turn == was) end_turn(still->second, true);
    });
    return;
  }
  emit(wire_words::turn_cancelled{m.request, false}, "");
}

bool stock_agent::is_idle() const {
  return fifo_.empty() && unacknowledged_.empty() && follow_ups_.empty() &&
         std::ranges::none_of(threads_, [](const auto& t) { return t.second.turn != nullptr; });
}

}  // namespace throughline::simulation
